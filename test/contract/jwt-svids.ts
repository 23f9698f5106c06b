import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { fetchSvid, fetchSvids } from './ask.ts';
import { jwkSetOf } from './bundles.ts';
import type { ContractWorld } from './world.ts';

const API = 'wasmcloud:component:api';

export function describeJwtSvids(world: ContractWorld): void {
  describe('a JWT-SVID', () => {
    test('says this much and no more', async () => {
      const svid = await fetchSvid(world.delegate(), ['sts.amazonaws.com'], API);
      const { token, ...rest } = svid;
      expect(rest).toEqual({
        id: { trust_domain: 'example.org', path: '/team/api' },
        issued_at: expect.any(Number),
        expires_at: svid.issued_at + 300,
        hint: '',
      });
      expect(decodeProtectedHeader(token)).toEqual({
        alg: 'ES256',
        kid: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
        typ: 'JWT',
      });
      expect(decodeJwt(token)).toEqual({
        sub: 'spiffe://example.org/team/api',
        aud: ['sts.amazonaws.com'],
        iss: world.agent().jwtIssuer,
        iat: svid.issued_at,
        exp: svid.expires_at,
      });
    });

    test('verifies with the keys on the stream', async () => {
      const delegate = world.delegate();
      const { token } = await fetchSvid(delegate, ['a'], API);
      const keys = createLocalJWKSet(JSON.parse(jwkSetOf(await delegate.subscribe().next())));
      const { payload } = await jwtVerify(token, keys, { audience: 'a', algorithms: ['ES256'] });
      expect(payload.sub).toBe('spiffe://example.org/team/api');
    });

    test('lives as long as its entry says', async () => {
      const svid = await fetchSvid(world.delegate(), ['a'], 'x:short');
      expect(svid.expires_at - svid.issued_at).toBe(3);
    });

    test('ends with the key that signed it at the latest', async () => {
      const delegate = world.delegate();
      // Two days are asked for, and the key lives for one.
      const svids = [await fetchSvid(delegate, ['a'], 'x:long'), await fetchSvid(delegate, ['b'], 'x:long')];
      const [first, second] = svids;
      expect(first?.token).not.toBe(second?.token);
      expect(first?.expires_at).toBe(second?.expires_at);
      for (const { issued_at, expires_at } of svids) expect(expires_at - issued_at).toBeLessThanOrEqual(86_400);
    });

    test.each([
      [
        ['z', 'a', 'm'],
        ['z', 'a', 'm'],
      ],
      [
        ['twice', 'twice'],
        ['twice', 'twice'],
      ],
      [['', 'x'], ['x']],
      [
        ['x', '', ' '],
        ['x', ' '],
      ],
    ])('for the audience %j has the aud %j', async (audience, expected) => {
      const { token } = await fetchSvid(world.delegate(), audience, API);
      expect(decodeJwt(token).aud).toEqual(expected);
    });
  });

  describe("the agent's own cache", () => {
    test('has the same token for the same audiences in another order', async () => {
      const delegate = world.delegate();
      const first = await fetchSvid(delegate, ['same-2', 'same-1'], API);
      expect(await fetchSvid(delegate, ['same-2', 'same-1'], API)).toEqual(first);
      const reordered = await fetchSvid(delegate, ['same-1', 'same-2'], API);
      expect(reordered).toEqual(first);
      expect(decodeJwt(reordered.token).aud).toEqual(['same-2', 'same-1']);
    });

    test('has other tokens for other audiences and for other identities', async () => {
      const delegate = world.delegate();
      const tokens = [
        await fetchSvid(delegate, ['one'], API),
        await fetchSvid(delegate, ['One'], API),
        await fetchSvid(delegate, ['one', 'one'], API),
        await fetchSvid(delegate, ['one', 'two'], API),
        await fetchSvid(delegate, ['one', ''], API),
        await fetchSvid(delegate, ['one'], 'wasmcloud:component:ledger'),
      ].map(({ token }) => token);
      expect(new Set(tokens).size).toBe(tokens.length);
    });

    test('has one token for two entries of one identity', async () => {
      const svids = await fetchSvids(world.delegate(), ['twins'], 'x:twin', 'x:twin2');
      expect(svids.map(({ hint }) => hint)).toEqual(['first', 'second']);
      expect(new Set(svids.map(({ token }) => token)).size).toBe(1);
    });

    test('gives a token for about half of its life, and then a new one', async () => {
      const delegate = world.delegate();
      let seenAt = Date.now();
      const first = await fetchSvid(delegate, ['half-life'], 'x:short');
      const look = async () => {
        const before = Date.now();
        const svid = await fetchSvid(delegate, ['half-life'], 'x:short');
        if (svid.token === first.token) seenAt = before;
        return svid;
      };
      const second = await until('a new token', look, ({ token }) => token !== first.token, { within: 3_000 });
      // Of three seconds 45 to 55% were left when it was taken for too old, and some milliseconds went on the way.
      const renewedAt = Date.now();
      expect(first.expires_at * 1000 - seenAt).toBeGreaterThan(0.45 * 3_000);
      expect(first.expires_at * 1000 - renewedAt).toBeLessThan(0.55 * 3_000);
      expect(second.issued_at).toBeGreaterThanOrEqual(first.issued_at);
    });
  });
}
