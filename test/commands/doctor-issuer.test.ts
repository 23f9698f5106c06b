import type { ServerResponse } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { lookAtIssuerAddress } from '../../src/doctor/issuer-address.ts';
import { type Chain, check, expectDiagnosis, loadFullConfig, startChain } from '../support/doctor.ts';
import { makeKey, type TestKey } from '../support/jwk.ts';

/** What cannot be looked at without the discovery document, or without the keys. */
const AFTER_DISCOVERY = ['issuer-keys', 'signing-key', 'published-keys'];

function skipped(checks: Awaited<ReturnType<Chain['examine']>>): string[] {
  return checks.filter(({ status }) => status === 'skip').map(({ name }) => name);
}

function answering(status: number, headers: Record<string, string> = {}, body = '{}') {
  return (response: ServerResponse): void => void response.writeHead(status, headers).end(body);
}

const hang = (): void => {};
const TOO_LONG = `{"pad":"${'x'.repeat(300 * 1024)}"}`;

describe('the discovery document', () => {
  test.each<[string, (response: ServerResponse) => void, RegExp, RegExp]>([
    [
      'that is somewhere else',
      answering(301, { Location: 'https://cdn.example.org/x' }),
      /redirects \(301\) to https:\/\/cdn\.example\.org\/x$/,
      /Clouds do not follow/,
    ],
    ['that is not there', answering(404), /answers with status 404$/, /pass this path on, unchanged/],
    ['that waits for keys', answering(503), /answers with status 503$/, /until it has keys/],
    ['that needs a password', answering(401), /answers with status 401$/, /without credentials/],
    ['that is a page', answering(200, {}, '<html>'), /is not a JSON object$/, /Something else is served/],
    ['that is a list', answering(200, {}, '[]'), /is not a JSON object$/, /Something else is served/],
    ['that is far too long', answering(200, {}, TOO_LONG), /more than 262144 bytes$/, /Something else is served/],
    [
      'that breaks off',
      (response) => void response.destroy(),
      /cannot be fetched \(ECONNRESET\)$/,
      /over the internet/,
    ],
  ])('%s', async (_, answer, saw, advice) => {
    const chain = await startChain();
    chain.issuer.answer('discovery', answer);
    const checks = await chain.examine();
    expectDiagnosis(checks, { step: 'issuer-discovery', saw, advice });
    expect(skipped(checks)).toEqual(AFTER_DISCOVERY);
  });

  test('that does not come, which nobody waits for', async () => {
    const chain = await startChain();
    chain.issuer.answer('discovery', hang);
    expectDiagnosis(await chain.examine({}, { limitMs: 300 }), {
      step: 'issuer-discovery',
      saw: /cannot be fetched \(ETIMEDOUT\)$/,
      advice: /^Clouds wait about five seconds/,
    });
  });

  test('of an issuer that is down', async () => {
    const chain = await startChain();
    await chain.issuer.close();
    expectDiagnosis(await chain.examine(), {
      step: 'issuer-discovery',
      saw: /cannot be fetched \(ECONNREFUSED\)$/,
      advice: /Is the service running/,
    });
  });

  test.each<[string, (json: Record<string, unknown>) => object, RegExp, RegExp]>([
    [
      'of another issuer',
      (json) => ({ ...json, issuer: 'https://oidc.example.com' }),
      /^"issuer" of http.* is "https:\/\/oidc\.example\.com", not http:\/\/127/,
      /byte by byte/,
    ],
    ['with a slash more', (json) => ({ ...json, issuer: `${json['issuer']}/` }), /\/", not http:/, /byte by byte/],
    ['without issuer', ({ issuer: _, ...json }) => json, /is missing, not http:/, /byte by byte/],
    [
      'without algorithms',
      (json) => ({ ...json, id_token_signing_alg_values_supported: [] }),
      /has no id_token_signing_alg_values_supported$/,
      /Does svidx publish this document/,
    ],
    [
      'without what OpenID wants',
      ({ issuer, jwks_uri }) => ({ issuer, jwks_uri, id_token_signing_alg_values_supported: ['ES256'] }),
      /has no response_types_supported, subject_types_supported$/,
      /Clouds need them/,
    ],
    ['without jwks_uri', ({ jwks_uri: _, ...json }) => json, /^"jwks_uri" of .* is not a URL$/, /URL of the key set/],
    ['with a path for jwks_uri', (json) => ({ ...json, jwks_uri: '/keys' }), /is not a URL$/, /URL of the key set/],
  ])('%s', async (_, change, saw, advice) => {
    const chain = await startChain();
    chain.issuer.tamper('discovery', change);
    const checks = await chain.examine();
    expectDiagnosis(checks, { step: 'issuer-discovery', saw, advice });
    expect(skipped(checks)).toEqual(AFTER_DISCOVERY);
  });

  test('that does not say that it is JSON is worth a look', async () => {
    const chain = await startChain();
    const { issuer } = chain.issuer;
    const text = await (await fetch(issuer.discoveryUrl)).text();
    chain.issuer.answer('discovery', answering(200, { 'Content-Type': 'application/octet-stream' }, text));
    const checks = await chain.examine();
    expect(check(checks, 'issuer-discovery')).toMatchObject({
      status: 'warn',
      saw: expect.stringMatching(/its Content-Type is application\/octet-stream$/),
      advice: expect.stringContaining('application/json'),
    });
    expect(checks.filter(({ status }) => status !== 'ok').map(({ name }) => name)).toEqual(['issuer-discovery']);
  });

  test('whose server has another time is worth a look, also from a cache', async () => {
    const chain = await startChain();
    const text = await (await fetch(chain.issuer.issuer.discoveryUrl)).text();
    const headers = (secondsAgo: number, age: number): Record<string, string> => ({
      'Content-Type': 'application/json',
      Date: new Date(Date.now() - secondsAgo * 1000).toUTCString(),
      Age: String(age),
    });
    chain.issuer.answer('discovery', answering(200, headers(300, 0), text));
    expect(check(await chain.examine(), 'clocks')).toMatchObject({
      status: 'warn',
      saw: expect.stringMatching(/^the clock of the issuer is 30\d seconds behind this one$/),
      advice: expect.stringContaining('NTP'),
    });
    chain.issuer.answer('discovery', answering(200, headers(300, 300), text));
    expect(check(await chain.examine(), 'clocks').status).toBe('ok');
  });
});

describe('the keys', () => {
  let stranger: TestKey;
  beforeAll(async () => {
    stranger = await makeKey('ES256', 'stranger');
  });

  type Jwk = Record<string, unknown>;
  const each =
    (change: (key: Jwk) => object) =>
    ({ keys }: Record<string, unknown>): object => ({ keys: Array.isArray(keys) ? keys.map(change) : [] });

  test.each<[string, (json: Record<string, unknown>) => object, RegExp, RegExp]>([
    ['that are none', () => ({ keys: [] }), /has no keys$/, /empty key set is kept/],
    ['that are no list', () => ({ keys: 'x' }), /has no keys$/, /empty key set is kept/],
    ['of a SPIFFE bundle', each((key) => ({ ...key, use: 'jwt-svid' })), /"use" is not "sig"$/, /SPIFFE bundle/],
    ['without kid', each(({ kid: _, ...key }) => key), /a key without "kid"/, /Clouds pass it over/],
    ['with a private one', each(() => ({ ...stranger.privateJwk, use: 'sig' })), /has a private key/, /at once/],
    [
      'of which there are too many',
      () => ({ keys: Array.from({ length: 101 }, () => ({ ...stranger.jwk, use: 'sig' })) }),
      /more than 100 EC keys$/,
      /AWS reads no more/,
    ],
  ])('%s', async (_, change, saw, advice) => {
    const chain = await startChain();
    chain.issuer.tamper('keys', change);
    const checks = await chain.examine();
    expectDiagnosis(checks, { step: 'issuer-keys', saw, advice });
    expect(skipped(checks)).toEqual(['signing-key', 'published-keys']);
    expect(JSON.stringify(checks)).not.toContain(String(stranger.privateJwk.d));
  });

  test('that cannot be fetched', async () => {
    const chain = await startChain();
    chain.issuer.answer('keys', answering(403));
    expectDiagnosis(await chain.examine(), {
      step: 'issuer-keys',
      saw: /\/keys answers with status 403$/,
      advice: /without credentials/,
    });
  });

  test('of another trust domain: not the one that signs', async () => {
    const chain = await startChain();
    chain.issuer.jwkSet = JSON.stringify({ keys: [stranger.jwk] });
    expectDiagnosis(await chain.examine(), {
      step: 'signing-key',
      code: 'token_key_unknown',
      saw: /^the token of api is signed with \w{32}, and published are stranger$/,
      advice: /Does the issuer take its keys from this trust domain/,
      also: ['published-keys'],
    });
  });

  test('with the right name and another key', async () => {
    const chain = await startChain();
    const { kid } = JSON.parse(chain.issuer.jwkSet).keys[0];
    chain.issuer.jwkSet = JSON.stringify({ keys: [{ ...stranger.jwk, kid }] });
    expectDiagnosis(await chain.examine(), {
      step: 'signing-key',
      code: 'token_signature_invalid',
      saw: /^the token of api is signed with/,
      advice: /cached/,
      also: ['published-keys'],
    });
  });

  test('of which the next one is not published yet are worth a look', async () => {
    const chain = await startChain();
    const next = { ...stranger.jwk };
    const { keys } = JSON.parse(chain.issuer.jwkSet);
    Object.assign(chain.spire.authority, { jwkSet: () => JSON.stringify({ keys: [...keys, next] }) });
    const checks = await chain.examine();
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([
      {
        name: 'published-keys',
        status: 'warn',
        saw: "of the bundle's keys these are not published: stranger",
        advice: expect.stringContaining('within minutes'),
      },
    ]);
  });

  test('whose algorithm is not advertised', async () => {
    const chain = await startChain();
    chain.issuer.tamper('discovery', (json) => ({ ...json, id_token_signing_alg_values_supported: ['RS256'] }));
    expectDiagnosis(await chain.examine(), {
      step: 'signing-key',
      saw: /is signed with ES256, and advertised are RS256$/,
      advice: /out of date/,
    });
  });
});

describe('the address of the issuer', () => {
  /** The step alone: nobody is to be asked for a certificate there. */
  async function addressOf(url: string): ReturnType<typeof lookAtIssuerAddress> {
    const { configFile, ...chain } = await startChain();
    await chain.configure({ issuer: url });
    const config = await loadFullConfig(configFile);
    return lookAtIssuerAddress(config, { clock: systemClock, random: Math.random, env: {}, uid: 0, limitMs: 1_000 });
  }

  test('that nobody knows', async () => {
    const chain = await startChain();
    await chain.configure({ issuer: 'https://oidc.nobody.invalid' });
    const checks = await chain.examine();
    const failures = checks.filter(({ status }) => status === 'fail').map(({ name }) => name);
    // The tokens are those of the real issuer.
    expect(failures).toEqual(['issuer-claim', 'issuer-address']);
    expect(check(checks, 'issuer-address')).toMatchObject({
      saw: expect.stringMatching(/^the name oidc\.nobody\.invalid cannot be resolved/),
      advice: expect.stringContaining('public DNS'),
    });
    expect(skipped(checks)).toEqual(['issuer-certificate', 'issuer-discovery', ...AFTER_DISCOVERY]);
  });

  test.each(['10.1.2.3', '[fd00::1]', '192.168.1.1', '[fe80::1]', '100.64.0.1', '172.31.255.255'])(
    'of a network of its own (%s) is worth a look',
    async (host) => {
      expect(await addressOf(`https://${host}`)).toMatchObject({
        status: 'warn',
        saw: expect.stringContaining('not of the internet'),
        advice: expect.stringContaining('ask from outside'),
      });
    },
  );

  test.each(['192.0.2.1', '172.32.0.1', '[2001:db8::1]', '100.128.0.1'])(
    'of the internet (%s) is good',
    async (host) => {
      expect(await addressOf(`https://${host}`)).toMatchObject({ status: 'ok' });
    },
  );

  test('on loopback is worth a look where no local STS plays the cloud', async () => {
    const chain = await startChain();
    await chain.configure({ stsEndpoint: undefined });
    const checks = await chain.examine();
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([
      {
        name: 'issuer-address',
        status: 'warn',
        saw: '127.0.0.1 is this machine: no cloud can reach it',
        advice: expect.stringContaining('Loopback is for development'),
      },
    ]);
  });
});
