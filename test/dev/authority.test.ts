import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Authority, createAuthority } from '../../src/dev/authority.ts';
import { JWT_KEY_TYPE_NAMES, type JwtKeyType } from '../../src/dev/key-types.ts';
import { JwtBundle, jwtBundleSet } from '../../src/spiffe/jwt-bundle.ts';
import { verifyJwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { createFakeClock, type FakeClock, settle } from '../fakes/clock.ts';

const API = SpiffeId.parse('spiffe://example.org/api');
const MINUTE = 60_000;
/** A key's life; its milestones are at 30, 50 and 60 minutes. */
const KEY_TTL = 60 * MINUTE;

interface Started {
  readonly authority: Authority;
  readonly clock: FakeClock;
  /** The key IDs of each published set, oldest first, the one at the start included. */
  readonly published: string[][];
  /** Lets time pass, a little at a time: making a key takes more than the turns that a clock waits. */
  pass(ms: number): Promise<void>;
  signingKey(): Promise<string>;
}

async function start(keyType: JwtKeyType = 'ec-p256', keyTtlMs = KEY_TTL): Promise<Started> {
  const clock = createFakeClock();
  const authority = await createAuthority({ clock, keyType, jwtIssuer: 'https://oidc.example.org', keyTtlMs });
  onTestFinished(() => authority.close());
  const published = [keyIds(authority)];
  authority.onChange(() => published.push(keyIds(authority)));
  return {
    authority,
    clock,
    published,
    async pass(ms) {
      const end = clock.now() + ms;
      while (clock.now() < end) {
        await clock.advance(Math.min(10_000, end - clock.now()));
        await clock.waitForTimers(1);
      }
    },
    async signingKey() {
      const { token } = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 1 });
      return decodeProtectedHeader(token).kid ?? '';
    },
  };
}

function keyIds(authority: Authority): string[] {
  return jwks(authority).map(({ kid }) => kid);
}

function jwks(authority: Authority): { kid: string; [member: string]: unknown }[] {
  return JSON.parse(authority.jwkSet()).keys;
}

describe('a minted JWT-SVID', () => {
  test('says exactly what one of SPIRE says', async () => {
    const { authority, clock } = await start();
    const minted = await authority.mint({ spiffeId: API, audience: ['sts.amazonaws.com', 'b'], ttl: 300 });
    const now = clock.now() / 1000;
    expect(minted).toMatchObject({ issuedAt: now, expiresAt: now + 300 });
    // SPIRE: header alg, kid and typ; no nbf, no jti; aud always an array.
    expect(decodeProtectedHeader(minted.token)).toEqual({ alg: 'ES256', kid: keyIds(authority)[0], typ: 'JWT' });
    expect(decodeJwt(minted.token)).toEqual({
      sub: 'spiffe://example.org/api',
      aud: ['sts.amazonaws.com', 'b'],
      iss: 'https://oidc.example.org',
      iat: now,
      exp: now + 300,
    });
  });

  test('has its one audience in an array', async () => {
    const { authority } = await start();
    const { token } = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 300 });
    expect(decodeJwt(token).aud).toEqual(['a']);
  });

  test('is in whole seconds, whatever the clock says', async () => {
    const { authority, clock } = await start();
    await clock.advance(1_999);
    const { token, issuedAt } = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 60 });
    expect(decodeJwt(token)).toMatchObject({ iat: Math.floor(clock.now() / 1000), exp: issuedAt + 60 });
  });

  test('ends with the key that signed it at the latest', async () => {
    const { authority, clock } = await start('ec-p256', 300_000);
    const end = clock.now() / 1000 + 300;
    const long = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 86_400 });
    expect([long.expiresAt, decodeJwt(long.token).exp]).toEqual([end, end]);
    const short = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 299 });
    expect(short.expiresAt).toBe(end - 1);
  });
});

describe.each(JWT_KEY_TYPE_NAMES)('keys of type %s', (keyType) => {
  const expected = {
    'ec-p256': { alg: 'ES256', jwk: { kty: 'EC', crv: 'P-256' }, members: ['crv', 'kid', 'kty', 'x', 'y'] },
    'ec-p384': { alg: 'ES384', jwk: { kty: 'EC', crv: 'P-384' }, members: ['crv', 'kid', 'kty', 'x', 'y'] },
    'rsa-2048': { alg: 'RS256', jwk: { kty: 'RSA', e: 'AQAB' }, members: ['e', 'kid', 'kty', 'n'] },
    'rsa-4096': { alg: 'RS256', jwk: { kty: 'RSA', e: 'AQAB' }, members: ['e', 'kid', 'kty', 'n'] },
  }[keyType];

  test('sign tokens that verify with the published set, by jose and by our own verifier', async () => {
    const { authority, clock } = await start(keyType);
    const { token } = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 300 });
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(JSON.parse(authority.jwkSet())), {
      currentDate: new Date(clock.now()),
    });
    expect(protectedHeader.alg).toBe(expected.alg);
    const bundles = jwtBundleSet([JwtBundle.parse(API.trustDomain, authority.jwkSet())]);
    const svid = await verifyJwtSvid(token, { bundles, audience: ['a'], now: clock.now(), leewaySeconds: 0 });
    expect(String(svid.spiffeId)).toBe('spiffe://example.org/api');
  });

  test('are published without use, without alg and without anything private', async () => {
    const { authority } = await start(keyType);
    const [key] = jwks(authority);
    expect(key).toMatchObject(expected.jwk);
    expect(Object.keys(key ?? {}).sort()).toEqual(expected.members);
    expect(key?.kid).toMatch(/^[A-Za-z0-9]{32}$/);
    if (keyType.startsWith('rsa-')) {
      expect(Buffer.from(String(key?.['n']), 'base64url').length * 8).toBe(Number(keyType.slice('rsa-'.length)));
    }
  });
});

describe('rotation by time, as the SPIRE server does it', () => {
  test("the next key is published at half of a key's life, and signs from five sixths on", async () => {
    const { published, pass, signingKey } = await start();
    const [first = []] = published;
    await pass(29 * MINUTE);
    expect(published).toHaveLength(1);
    await pass(1 * MINUTE);
    expect(published).toHaveLength(2);
    const [, both = []] = published;
    expect(both).toHaveLength(2);
    expect(both).toContain(first[0]);
    expect(await signingKey()).toBe(first[0]);
    await pass(19 * MINUTE);
    expect(await signingKey()).toBe(first[0]);
    await pass(1 * MINUTE);
    expect(await signingKey()).toBe(both.find((kid) => kid !== first[0]));
    // Activation changes nothing that is published.
    expect(published).toHaveLength(2);
  });

  test('the old key stays published until its own end, so that every token it signed can be verified', async () => {
    const { authority, clock, published, pass } = await start();
    const [[first = ''] = []] = published;
    await pass(49 * MINUTE);
    const last = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 3600 });
    await pass(10.5 * MINUTE);
    const keys = createLocalJWKSet(JSON.parse(authority.jwkSet()));
    expect((await jwtVerify(last.token, keys, { currentDate: new Date(clock.now()) })).protectedHeader.kid).toBe(first);
    await pass(1 * MINUTE);
    expect(keyIds(authority)).not.toContain(first);
    expect(last.expiresAt * 1000).toBeLessThanOrEqual(clock.now());
  });

  test('goes on for ever: there is always a key that signs, and what it signs is published before', async () => {
    const { authority, published, pass, signingKey } = await start();
    const signers = new Set<string>();
    for (let time = 0; time < 6 * 60; time += 5) {
      const signer = await signingKey();
      signers.add(signer);
      expect(keyIds(authority)).toContain(signer);
      expect(keyIds(authority).length).toBeLessThanOrEqual(3);
      await pass(5 * MINUTE);
    }
    expect(signers.size).toBeGreaterThan(6);
    // No set dropped a key that was published for the first time in the set before it.
    expect(new Set(published.flat()).size).toBeGreaterThanOrEqual(signers.size);
  });

  test('a machine that slept through it all signs with a living key', async () => {
    const { authority, clock } = await start();
    await clock.advance(10 * KEY_TTL);
    const { token, issuedAt, expiresAt } = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 300 });
    expect(expiresAt).toBe(issuedAt + 300);
    expect(keyIds(authority)).toContain(decodeProtectedHeader(token).kid);
  });

  test('ends when the authority is closed', async () => {
    const { authority, clock, published } = await start();
    authority.close();
    expect(clock.timers).toBe(0);
    await clock.advance(KEY_TTL);
    expect(published).toHaveLength(1);
  });

  test('ends also when a key is just being made', async () => {
    // An RSA key takes many turns of the event loop.
    const { authority, clock } = await start('rsa-2048');
    await clock.advance(KEY_TTL / 2);
    authority.close();
    // By the time that this one is made, so is the other.
    await authority.rotate();
    await settle();
    expect(clock.timers).toBe(0);
  });
});

describe('forced rotation', () => {
  test('publishes the new key before it signs, and keeps the old one', async () => {
    const { authority, published, signingKey } = await start();
    const [[first = ''] = []] = published;
    const signers: Promise<string>[] = [];
    authority.onChange(() => void signers.push(signingKey()));
    const old = await authority.mint({ spiffeId: API, audience: ['a'], ttl: 300 });
    await authority.rotate();
    const second = await signingKey();
    expect(second).not.toBe(first);
    expect(published.at(-1)?.toSorted()).toEqual([first, second].toSorted());
    const keys = createLocalJWKSet(JSON.parse(authority.jwkSet()));
    await expect(jwtVerify(old.token, keys, { currentDate: new Date(old.issuedAt * 1000) })).resolves.toBeDefined();
    expect(await Promise.all(signers)).toEqual([first]);
  });

  test('uses the key that is prepared already', async () => {
    const { authority, published, pass, signingKey } = await start();
    await pass(30 * MINUTE);
    expect(published).toHaveLength(2);
    const before = await signingKey();
    await authority.rotate();
    expect(published).toHaveLength(2);
    expect(published[1]).toContain(await signingKey());
    expect(await signingKey()).not.toBe(before);
  });

  test('asked for many times at once loses no key that has signed', async () => {
    const { authority, signingKey } = await start();
    const before = await signingKey();
    await Promise.all([authority.rotate(), authority.rotate(), authority.rotate()]);
    expect(keyIds(authority)).toEqual(expect.arrayContaining([before, await signingKey()]));
  });

  test('in four steps: prepared, it is published; activated, it signs; tainted, it stays; revoked, it is gone', async () => {
    const { authority, published, signingKey } = await start();
    const old = await signingKey();
    const next = await authority.prepare();
    expect(published.at(-1)).toEqual([old, next]);
    expect(await signingKey()).toBe(old);
    authority.activate();
    expect(await signingKey()).toBe(next);
    expect(published).toHaveLength(2);
    authority.taint(old);
    expect([authority.isTainted(old), authority.isTainted(next)]).toEqual([true, false]);
    expect(published.at(-1)).toEqual([old, next]);
    authority.revoke(old);
    expect(published.at(-1)).toEqual([next]);
  });

  test('prepared twice, both keys are published and the second one will sign', async () => {
    const { authority, published, signingKey } = await start();
    const [first, second] = [await authority.prepare(), await authority.prepare()];
    expect(published.at(-1)).toEqual(expect.arrayContaining([first, second]));
    authority.activate();
    expect(await signingKey()).toBe(second);
  });

  test('the key that signs cannot be tainted, and one that is not tainted cannot be revoked', async () => {
    const { authority, published, signingKey } = await start();
    const active = await signingKey();
    expect(() => authority.taint(active)).toThrow('unable to taint current local authority');
    expect(() => authority.revoke(active)).toThrow('it is not possible to revoke an untainted key');
    expect(authority.isTainted(active)).toBe(false);
    expect(published).toEqual([[active]]);
  });

  test('a listener that unsubscribed hears no more', async () => {
    const { authority } = await start();
    let heard = 0;
    const unsubscribe = authority.onChange(() => {
      heard += 1;
    });
    await authority.rotate();
    unsubscribe();
    await authority.rotate();
    expect(heard).toBe(1);
  });
});
