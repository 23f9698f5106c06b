import { beforeAll, describe, expect, test } from 'vitest';
import { type Chain, check, expectDiagnosis, startChain } from '../support/doctor.ts';
import { makeKey, type TestKey } from '../support/jwk.ts';
import { API_ID, scripted, signed } from '../support/scripted-chain.ts';

describe('a token', () => {
  let rsa: TestKey;
  let ec: TestKey;
  beforeAll(async () => {
    [rsa, ec] = await Promise.all([makeKey('PS256', 'rsa-key'), makeKey('ES256', 'ec-key')]);
  });

  /** A chain with a key of the test's own, which is in the bundle and published. */
  async function chainWith(key: TestKey, claimsFor: (issuer: string) => object = () => ({})): Promise<Chain> {
    const chain = await startChain();
    const claims = claimsFor(chain.issuer.issuer.url);
    chain.issuer.jwkSet = JSON.stringify({ keys: [key.jwk] });
    const agent = await scripted(chain, { 'spiffe://example.org': chain.issuer.jwkSet });
    agent.onFetch = async () => ({ svids: [{ token: await signed(chain, key, claims), id: API_ID }] });
    return chain;
  }

  test.each<[string, (url: string) => unknown, RegExp, RegExp]>([
    ['without iss', () => undefined, /^the token of api has no "iss"/, /server \{ \}.*\n {4}jwt_issuer = "http:/s],
    [
      'with another iss',
      () => 'https://other.example.org',
      /the iss https:\/\/other\.example\.org, and the configured issuer is http:\/\/127\.0\.0\.1:\d+$/,
      /byte by byte\..*jwt_issuer = "http:/s,
    ],
    ['with a slash too many', (url) => `${url}/`, /they differ by the trailing slash alone$/, /jwt_issuer = "http:/],
    ['with an iss that is a number', () => 42, /the iss 42, and/, /jwt_issuer/],
  ])('%s', async (_, iss, saw, advice) => {
    const chain = await chainWith(ec, (url) => ({ iss: iss(url) }));
    expectDiagnosis(await chain.examine({ component: 'api', grant: 'models' }), {
      step: 'issuer-claim',
      saw,
      advice,
      also: ['exchange'],
    });
  });

  test('signed with a key that the bundle does not have', async () => {
    const chain = await startChain();
    const agent = await scripted(chain);
    agent.onFetch = async () => ({ svids: [{ token: await signed(chain, ec), id: API_ID }] });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'signature',
      code: 'token_key_unknown',
      saw: /^the token of api: no key of example\.org fits/,
      advice: 'After a forced rotation the bundle may lag',
      also: ['signing-key', 'exchange'],
    });
  });

  test('whose signature does not verify', async () => {
    const stranger = await makeKey('ES256', ec.kid);
    const chain = await chainWith(ec);
    const agent = await scripted(chain, { 'spiffe://example.org': chain.issuer.jwkSet });
    agent.onFetch = async () => ({ svids: [{ token: await signed(chain, stranger), id: API_ID }] });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'signature',
      code: 'token_signature_invalid',
      saw: /^the token of api: the token's signature does not verify/,
      advice: 'Two keys share an ID',
      also: ['signing-key', 'exchange'],
    });
  });

  test('signed as AWS does not take it', async () => {
    const chain = await chainWith(rsa);
    // What is advertised is what is used: the only thing wrong is that AWS cannot read it.
    chain.issuer.tamper('discovery', (json) => ({ ...json, id_token_signing_alg_values_supported: ['PS256'] }));
    chain.issuer.tamper('keys', () => ({ keys: [{ ...rsa.jwk, use: 'sig', alg: 'PS256' }] }));
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'key-type',
      saw: /^the token of api is signed with PS256, and AWS takes RS256, .*ES512$/,
      advice: /\n {4}jwt_key_type = "ec-p256"$/,
      also: ['exchange'],
    });
  });

  test('that this clock has expired already', async () => {
    const chain = await startChain();
    const checks = await chain.examine({}, { clock: { now: () => Date.now() + 3600_000, after: setAfter } });
    expectDiagnosis(checks, {
      step: 'clocks',
      code: 'token_expired',
      saw: /^a token of api, just issued, expired 55 minutes ago by this clock$/,
      advice: /date -u.*NTP/s,
    });
  });

  test('from the future is worth a look', async () => {
    const now = Math.floor(Date.now() / 1000);
    const chain = await chainWith(ec, () => ({ iat: now + 95, exp: now + 395 }));
    const checks = await chain.examine({ component: 'api' });
    expect(check(checks, 'clocks')).toMatchObject({
      status: 'warn',
      saw: expect.stringMatching(/^the clock of the SPIRE server is 9\d seconds ahead of this one$/),
    });
  });
});

function setAfter(ms: number, callback: () => void): { cancel(): void } {
  const timer = setTimeout(callback, ms);
  return { cancel: () => clearTimeout(timer) };
}
