import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, isErrorCode, SvidxError } from '../../../src/base/errors.ts';
import { EgressError } from '../../../src/component/egress/error-code.ts';
import { toDnsError, toEgressError } from '../../../src/component/egress/error-table.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code} 10.1.2.3:443 /run/private.sock`), { code, address: '10.1.2.3' });
}

describe('what ended a request, as a component is told', () => {
  test.each([
    ['ECONNREFUSED', { tag: 'connection-refused' }],
    ['ECONNRESET', { tag: 'connection-terminated' }],
    ['EPIPE', { tag: 'connection-terminated' }],
    ['ETIMEDOUT', { tag: 'connection-timeout' }],
    ['EHOSTUNREACH', { tag: 'destination-IP-unroutable' }],
    ['ENETUNREACH', { tag: 'destination-IP-unroutable' }],
    ['EMFILE', { tag: 'connection-limit-reached' }],
    ['CERT_HAS_EXPIRED', { tag: 'TLS-certificate-error' }],
    ['SELF_SIGNED_CERT_IN_CHAIN', { tag: 'TLS-certificate-error' }],
    ['ERR_TLS_CERT_ALTNAME_INVALID', { tag: 'TLS-certificate-error' }],
    ['ERR_SSL_WRONG_VERSION_NUMBER', { tag: 'TLS-protocol-error' }],
    ['EPROTO', { tag: 'TLS-protocol-error' }],
    [
      'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
      { tag: 'TLS-alert-received', val: { alertId: undefined, alertMessage: 'unknown ca' } },
    ],
    [
      'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
      { tag: 'TLS-alert-received', val: { alertId: undefined, alertMessage: 'handshake failure' } },
    ],
    ['HPE_HEADER_OVERFLOW', { tag: 'HTTP-response-header-section-size', val: undefined }],
    ['HPE_INVALID_CONSTANT', { tag: 'HTTP-protocol-error' }],
    ['ENOENT', { tag: 'internal-error', val: undefined }],
    ['constructor', { tag: 'internal-error', val: undefined }],
    ['', { tag: 'internal-error', val: undefined }],
  ])('%s', (code, errorCode) => {
    const told = toEgressError(systemError(code));
    expect(told.errorCode).toEqual(errorCode);
    expect(`${told.message} ${JSON.stringify(told.errorCode)}`).not.toMatch(/10\.1\.2\.3|private/);
    expect(told.cause).toBeUndefined();
  });

  test.each([undefined, null, 'text', 42, {}, new Error('/run/private.sock')])('%s', (thrown) => {
    const told = toEgressError(thrown);
    expect(told.errorCode).toEqual({ tag: 'internal-error', val: undefined });
    expect(told.message).not.toContain('private');
  });

  test('its own errors are what they are', () => {
    const error = new EgressError('loop-detected', 'why');
    expect(toEgressError(error)).toBe(error);
  });

  test.each(Object.keys(ERROR_CODES).filter((code): code is ErrorCode => isErrorCode(code)))('%s', (code) => {
    const told = toEgressError(
      new SvidxError(code, 'the message', { detail: 'the detail', cause: new Error('the cause') }),
    );
    expect(told.errorCode).toEqual(
      code === 'policy_denied'
        ? { tag: 'HTTP-request-denied' }
        : { tag: 'internal-error', val: `${code}: the message` },
    );
    expect(JSON.stringify([told.message, told.errorCode])).not.toMatch(/the detail|the cause/);
  });
});

test.each([
  ['ENOTFOUND', 'NXDOMAIN'],
  ['EAI_AGAIN', undefined],
  ['ENODATA', undefined],
])('a resolver that says %s', (code, rcode) => {
  expect(toDnsError(systemError(code)).errorCode).toEqual({ tag: 'DNS-error', val: { rcode, infoCode: undefined } });
});
