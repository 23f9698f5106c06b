import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { X509Bundle } from '../../src/spiffe/x509-bundle.ts';
import { createAuthorityCertificate, createSvidCertificate, derOf, x509Bundle } from '../support/x509-svids.ts';

const [one, other] = [createAuthorityCertificate(), createAuthorityCertificate()];
const EXAMPLE = TrustDomain.parse('example.org');

function codeOf(bytes: Uint8Array): unknown {
  try {
    return X509Bundle.parse(EXAMPLE, bytes).authorities.length;
  } catch (error) {
    return error instanceof SvidxError ? error.code : error;
  }
}

describe('an X.509 bundle', () => {
  test('holds each authority once, whatever their order', () => {
    const bundle = x509Bundle('example.org', one, other, one);
    expect(bundle.authorities).toHaveLength(2);
    expect(bundle.equals(x509Bundle('example.org', other, one))).toBe(true);
    expect(bundle.authorities.map(({ keyId }) => keyId)).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}$/),
      expect.stringMatching(/^[0-9a-f]{64}$/),
    ]);
  });

  test('is another one with another authority, one less, or of another trust domain', () => {
    const bundle = x509Bundle('example.org', one);
    expect(bundle.equals(x509Bundle('example.org', other))).toBe(false);
    expect(bundle.equals(x509Bundle('example.org', one, other))).toBe(false);
    expect(bundle.equals(x509Bundle('example.org'))).toBe(false);
    expect(bundle.equals(x509Bundle('other.example', one))).toBe(false);
  });

  test('may be empty', () => {
    expect(x509Bundle('example.org').authorities).toEqual([]);
  });

  test('passes over what is no authority, and what is no certificate', () => {
    const { authorities, skippedKeys } = X509Bundle.parse(
      EXAMPLE,
      Buffer.concat([derOf(createSvidCertificate(one)), Buffer.of(0x30, 0), derOf(one), Buffer.of(0x02, 1, 1)]),
    );
    expect([authorities.length, skippedKeys]).toEqual([1, 3]);
  });

  test.each([
    ['PEM', Buffer.from(one.cert)],
    ['a certificate cut short', derOf(one).subarray(0, -1)],
    ['something after it', Buffer.concat([derOf(one), Buffer.of(0x30)])],
    ['an indefinite length', Buffer.of(0x30, 0x80, 0, 0)],
    ['a length that is longer than it must be', Buffer.of(0x30, 0x81, 1, 0)],
    ['a length with a zero in front', Buffer.concat([Buffer.of(0x30, 0x82, 0, 0x80), Buffer.alloc(0x80)])],
    ['a length of four octets', Buffer.of(0x30, 0x84, 0, 0, 0, 0)],
    ['a long tag', Buffer.of(0x3f, 0x81, 1, 0)],
    ['more certificates than a bundle has', Buffer.concat(Array<Buffer>(1001).fill(Buffer.of(0x30, 0)))],
  ])('%s is none', (_, bytes) => {
    expect(codeOf(bytes)).toBe('bundle_invalid');
  });
});
