import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type CertificateOptions, createCertificate } from '../support/certificates.ts';
import { type Chain, check, expectDiagnosis, startChain } from '../support/doctor.ts';

const DAY_MS = 86_400_000;

function inDays(days: number): Date {
  return new Date(Date.now() + days * DAY_MS);
}

const authority = createCertificate({ hosts: [] });
const intermediate = createCertificate({ hosts: [] });

/** A chain whose issuer is https, with a certificate of the authority that the doctor trusts. */
async function chainWith(options: Partial<CertificateOptions>): Promise<Chain> {
  const tls = createCertificate({ hosts: ['localhost'], notAfter: inDays(90), issuer: authority, ...options });
  return startChain({ tls });
}

const AFTER_CERTIFICATE = ['issuer-discovery', 'issuer-keys', 'signing-key', 'published-keys'];

describe('the certificate of the issuer', () => {
  test('that is good: the whole chain over https', async () => {
    const chain = await chainWith({});
    const checks = await chain.examine({}, { ca: authority.cert });
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(check(checks, 'issuer-certificate').saw).toMatch(
      /^for DNS:localhost, until \d{4}-\d\d-\d\d, (89|90) days left$/,
    );
    expect(check(checks, 'issuer-discovery').saw).toMatch(/^https:\/\/localhost:\d+\/.well-known/);
  });

  test.each<[string, Partial<CertificateOptions>, RegExp, RegExp]>([
    [
      'that has expired',
      { notBefore: inDays(-90), notAfter: inDays(-1) },
      /not accepted \(CERT_HAS_EXPIRED\): it is for DNS:localhost, until \d{4}-/,
      /^Renew it\.$/,
    ],
    ['that is not valid yet', { notBefore: inDays(1) }, /\(CERT_NOT_YET_VALID\)/, /Compare the clocks/],
    [
      'for another host',
      { hosts: ['oidc.example.org'] },
      /\(ERR_TLS_CERT_ALTNAME_INVALID\): it is for DNS:oidc\.example\.org/,
      /Get one for this host/,
    ],
    ['whose chain is not complete', { issuer: intermediate }, /\(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)/, /whole chain/],
  ])('%s', async (_, options, saw, advice) => {
    const chain = await chainWith(options);
    const checks = await chain.examine({}, { ca: authority.cert });
    expectDiagnosis(checks, { step: 'issuer-certificate', saw, advice });
    expect(checks.filter(({ status }) => status === 'skip').map(({ name }) => name)).toEqual(AFTER_CERTIFICATE);
  });

  test('that signs itself', async () => {
    const chain = await startChain({ tls: createCertificate({ hosts: ['localhost'] }) });
    expectDiagnosis(await chain.examine({}, { ca: authority.cert }), {
      step: 'issuer-certificate',
      saw: /\(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
      advice: /public certificate authorities/,
    });
  });

  test('of an authority that nobody knows, as without any of ours', async () => {
    const chain = await chainWith({});
    expectDiagnosis(await chain.examine(), {
      step: 'issuer-certificate',
      saw: /\(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)/,
      advice: /whole chain/,
    });
  });

  test.each<[number, number, 'ok' | 'warn']>([
    [90, 13, 'warn'],
    [90, 15, 'ok'],
    // Short-lived ones are renewed within days.
    [6, 2, 'ok'],
    [6, 1, 'warn'],
  ])('of %d days with %d left: %s', async (life, left, status) => {
    const chain = await chainWith({ notBefore: inDays(left - life), notAfter: inDays(left + 0.01) });
    const checks = await chain.examine({}, { ca: authority.cert });
    expect(check(checks, 'issuer-certificate')).toMatchObject({
      status,
      saw: expect.stringMatching(new RegExp(`, ${left} days left$`)),
    });
  });

  test('that is not there, since nobody speaks TLS', async () => {
    const chain = await startChain();
    await chain.configure({ issuer: chain.issuer.issuer.url.replace('http://127.0.0.1', 'https://localhost') });
    const checks = await chain.examine({}, { ca: authority.cert });
    expect(check(checks, 'issuer-certificate')).toMatchObject({
      status: 'fail',
      saw: expect.stringMatching(/^no TLS connection to localhost:\d+ \(/),
      advice: expect.stringContaining('speak TLS'),
    });
  });

  test('that does not come, which nobody waits for', async () => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    const chain = await startChain();
    await chain.configure({ issuer: `https://localhost:${address.port}` });
    const started = systemClock.now();
    const checks = await chain.examine({}, { limitMs: 300 });
    expect(systemClock.now() - started).toBeLessThan(5_000);
    expect(check(checks, 'issuer-certificate')).toMatchObject({
      status: 'fail',
      saw: expect.stringMatching(/\(ETIMEDOUT\)$/),
      advice: expect.stringContaining('firewall'),
    });
  });

  test('that is good, and jwks_uri leads to where it is not', async () => {
    const chain = await chainWith({});
    const other = await startChain({ tls: createCertificate({ hosts: ['localhost'] }) });
    chain.issuer.tamper('discovery', (json) => ({ ...json, jwks_uri: other.issuer.issuer.keysUrl }));
    expectDiagnosis(await chain.examine({}, { ca: authority.cert }), {
      step: 'issuer-keys',
      saw: /cannot be fetched \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
      advice: /certificate of this host is not accepted/,
    });
  });

  test('that is good, and jwks_uri is plain HTTP', async () => {
    const chain = await chainWith({});
    chain.issuer.tamper('discovery', (json) => ({ ...json, jwks_uri: 'http://keys.example.org/keys' }));
    expectDiagnosis(await chain.examine({}, { ca: authority.cert }), {
      step: 'issuer-discovery',
      saw: /^"jwks_uri" is http:\/\/keys\.example\.org\/keys: plain HTTP$/,
      advice: /https only/,
    });
  });
});
