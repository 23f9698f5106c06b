import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Audience, parseAudience } from '../../src/spiffe/audience.ts';
import { JwtBundle, jwtBundleSet } from '../../src/spiffe/jwt-bundle.ts';
import { DEFAULT_LEEWAY_SECONDS, verifyJwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { publicJwk, sign } from '../support/signing-keys.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const KEY = 'example.org/ec-p256';

/** @param kid `null` for a token without */
function token(claims: Record<string, unknown> = {}, kid: string | null = 'k'): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const all = { sub: 'spiffe://example.org/api', aud: ['a', 'b'], exp: NOW / 1000 + 300, iat: NOW / 1000, ...claims };
  const input = `${encode({ alg: 'ES256', ...(kid === null ? {} : { kid }) })}.${encode(all)}`;
  return `${input}.${sign(input, KEY, 'ES256').toString('base64url')}`;
}

const bundle = JwtBundle.parse(
  TrustDomain.parse('example.org'),
  JSON.stringify({ keys: [{ kid: 'k', ...publicJwk(KEY) }] }),
);

const options = { bundles: jwtBundleSet([bundle]), audience: ['a'] satisfies Audience, now: NOW, leewaySeconds: 0 };

describe('the time of verification', () => {
  test.each([
    ['the last millisecond', 300_000 - 1, 0],
    ['the last millisecond of the leeway', 305_000 - 1, 5],
    ['the first millisecond of the leeway before iat', -5_000, 5],
    ['the very moment of iat', 0, 0],
  ])('may be %s', async (_, offset, leewaySeconds) => {
    const svid = await verifyJwtSvid(token(), { ...options, now: NOW + offset, leewaySeconds });
    expect(svid.spiffeId.toString()).toBe('spiffe://example.org/api');
  });

  test.each([
    ['exp itself', 300_000, 0, 'token_expired'],
    ['the end of the leeway', 305_000, 5, 'token_expired'],
    ['years later', 1e11, 5, 'token_expired'],
    ['a millisecond before iat', -1, 0, 'token_not_yet_valid'],
    ['a millisecond before the leeway', -5_001, 5, 'token_not_yet_valid'],
    ['the end of a life that a negative leeway shortens', 295_000, -5, 'token_expired'],
  ])('may not be %s', async (_, offset, leewaySeconds, code) => {
    expect(await refusalCode(verifyJwtSvid(token(), { ...options, now: NOW + offset, leewaySeconds }))).toBe(code);
  });

  test.each([
    ['now', { now: Number.NaN }],
    ['the leeway', { leewaySeconds: Number.NaN }],
  ])('never makes a token acceptable by being no number: %s', async (_, broken) => {
    expect(await refusalCode(verifyJwtSvid(token(), { ...options, ...broken }))).toBe('token_expired');
    const eternal = verifyJwtSvid(token({ exp: 253_402_300_799 }), { ...options, ...broken });
    expect(await refusalCode(eternal)).toBe('token_expired');
  });

  test('is on the safe side for nbf too, whatever the numbers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -600_000, max: 600_000 }), fc.nat({ max: 60 }), async (offset, leeway) => {
        const claims = { nbf: (NOW + offset) / 1000, iat: undefined };
        const verified = verifyJwtSvid(token(claims), { ...options, leewaySeconds: leeway });
        const early = offset > leeway * 1000;
        if (early) expect(await refusalCode(verified)).toBe('token_not_yet_valid');
        else expect((await verified).keyId).toBe('k');
      }),
      { numRuns: 50 },
    );
  });

  test('says in the message when the token expired', async () => {
    const error = await refusal(verifyJwtSvid(token({ exp: 0 }), options));
    expect(error.message).toBe('the token expired at 1970-01-01T00:00:00.000Z');
  });
});

describe('the audience of the verifier', () => {
  test.each([[['a']], [['b']], [['x', 'b']], [['a', 'b']]])('may be %j of a and b', async (names) => {
    const audience = parseAudience(names) ?? ['never'];
    expect((await verifyJwtSvid(token(), { ...options, audience })).audience).toEqual(['a', 'b']);
  });

  test.each([[['x']], [['x', 'y']], [['A']], [['a,b']], [['a b']], [['']], [['*']]])(
    'may not be %j of a and b',
    async (names) => {
      const [first = '', ...rest] = names;
      const error = await refusal(verifyJwtSvid(token(), { ...options, audience: [first, ...rest] }));
      expect(error.code).toBe('token_audience_mismatch');
    },
  );

  test('is looked at last: who asks without a proof learns nothing of it', async () => {
    const wrong = { ...options, audience: ['x'] satisfies Audience };
    expect(await refusalCode(verifyJwtSvid(`${token().slice(0, -8)}AAAAAAAA`, wrong))).toBe('token_signature_invalid');
    expect(await refusalCode(verifyJwtSvid(token({ exp: 0 }), wrong))).toBe('token_expired');
    expect(await refusalCode(verifyJwtSvid(token(), wrong))).toBe('token_audience_mismatch');
  });
});

describe('the bundle', () => {
  test('is asked for once, by the trust domain of the subject', async () => {
    const asked: string[] = [];
    const bundles = {
      get(trustDomain: TrustDomain) {
        asked.push(trustDomain.name);
        return bundle;
      },
    };
    await verifyJwtSvid(token({ iss: 'https://other.org' }), { ...options, bundles });
    expect(asked).toEqual(['example.org']);
  });

  test('is used for its own trust domain alone, also where the set hands out another', async () => {
    const foreign = token({ sub: 'spiffe://other.org/api' });
    expect(await refusalCode(verifyJwtSvid(foreign, { ...options, bundles: { get: () => bundle } }))).toBe(
      'token_trust_domain_unknown',
    );
  });

  test('is looked at anew each time: a key that is gone verifies nothing more', async () => {
    let current = bundle;
    const bundles = { get: () => current };
    const presented = token();
    await verifyJwtSvid(presented, { ...options, bundles });
    current = JwtBundle.parse(bundle.trustDomain, '{"keys":[]}');
    expect(await refusalCode(verifyJwtSvid(presented, { ...options, bundles }))).toBe('token_key_unknown');
  });
});

describe('how many keys a token is tried with', () => {
  /** The right key, and others of its kind. */
  const crowd = (size: number, kid?: string) =>
    JwtBundle.parse(
      bundle.trustDomain,
      JSON.stringify({
        keys: Array.from({ length: size }, (_, index) => ({
          kid: kid ?? `k${index}`,
          ...publicJwk(index === 0 ? KEY : `${KEY}-${index}`),
        })),
      }),
    );
  const verifyWith = (presented: string, keys: JwtBundle) =>
    verifyJwtSvid(presented, { ...options, bundles: jwtBundleSet([keys]) });

  test('is 32 at most, without kid', async () => {
    const presented = token({}, null);
    expect((await verifyWith(presented, crowd(32))).keyId).toBeUndefined();
    expect(await refusal(verifyWith(presented, crowd(33)))).toMatchObject({
      code: 'token_key_unknown',
      message: 'more than 32 keys of example.org fit: the token needs a "kid" of its own',
    });
  });

  test('is 32 at most of the same kid, and of others there may be any number', async () => {
    expect((await verifyWith(token({}, 'k0'), crowd(100))).keyId).toBe('k0');
    expect((await verifyWith(token({}, 'k'), crowd(32, 'k'))).keyId).toBe('k');
    expect(await refusalCode(verifyWith(token({}, 'k'), crowd(33, 'k')))).toBe('token_key_unknown');
  });
});

test('a token may be verified many times at once', async () => {
  const presented = token();
  const verified = await Promise.all(Array.from({ length: 100 }, () => verifyJwtSvid(presented, options)));
  expect(new Set(verified.map(({ sha256 }) => sha256)).size).toBe(1);
});

test('no character of a token can be changed for its neighbour', async () => {
  const good = token();
  for (let index = 0; index < good.length; index += 1) {
    const flipped = String.fromCharCode(good.charCodeAt(index) ^ 1);
    const changed = good.slice(0, index) + flipped + good.slice(index + 1);
    const error = await refusal(verifyJwtSvid(changed, options));
    expect(['token_malformed', 'token_signature_invalid', 'token_key_unknown', 'token_trust_domain_unknown']).toContain(
      error.code,
    );
    expectNoSecrets(`${error.message} ${error.detail}`, [changed]);
  }
  expect((await verifyJwtSvid(good, options)).token.reveal()).toBe(good);
});

test('clocks may disagree by five seconds where nothing else is said', () => {
  expect(DEFAULT_LEEWAY_SECONDS).toBe(5);
});
