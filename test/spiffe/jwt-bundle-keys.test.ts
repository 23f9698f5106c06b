import { describe, expect, test } from 'vitest';
import { JwtBundle } from '../../src/spiffe/jwt-bundle.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { privateJwk, publicJwk } from '../support/signing-keys.ts';

const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];

const rsa: Record<string, unknown> = { kid: 'rsa', ...publicJwk('example.org/rsa-2048') };
const ec: Record<string, unknown> = { kid: 'ec', ...publicJwk('example.org/ec-p256') };

/** The authority that a bundle of this one key and a good one makes of it; the good one must be there in any case. */
function taken(jwk: unknown) {
  const good = { kid: 'control', ...publicJwk('example.org/ec-p384') };
  const bundle = JwtBundle.parse(TrustDomain.parse('example.org'), JSON.stringify({ keys: [jwk, good] }));
  const others = bundle.authorities.filter(({ keyId }) => keyId !== 'control');
  expect(bundle.authorities.length - others.length).toBe(1);
  expect(bundle.skippedKeys).toBe(1 - others.length);
  return others[0];
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function bytesOf(jwk: Record<string, unknown>, member: string): Buffer {
  return Buffer.from(String(jwk[member]), 'base64url');
}

describe('a key is taken', () => {
  test.each([
    ['RSA', rsa, RSA_ALGORITHMS],
    ['P-256', ec, ['ES256']],
    ['P-384', { kid: 'k', ...publicJwk('example.org/ec-p384') }, ['ES384']],
    ['P-521', { kid: 'k', ...publicJwk('example.org/ec-p521') }, ['ES512']],
    ['RSA for RS256 alone', { ...rsa, alg: 'RS256' }, ['RS256']],
    ['RSA for PS512 alone', { ...rsa, alg: 'PS512' }, ['PS512']],
    ['P-256 that says so', { ...ec, alg: 'ES256' }, ['ES256']],
  ])('of type %s, for its algorithms, the one SPIRE signs with first (RFC 7518 3.1)', (_, jwk, algorithms) => {
    const authority = taken(jwk);
    expect(authority?.keyId).toBe(jwk['kid']);
    expect([...(authority?.algorithms ?? [])].sort()).toEqual([...algorithms].sort());
    expect(authority?.algorithms[0]).toBe(algorithms[0]);
    expect(authority?.key.type).toBe('public');
  });

  test.each(['x', ' ', '__proto__', 'constructor', 'k'.repeat(10_000), '\u0000', '\ud800'])(
    'with the kid %j, as it is written',
    (kid) => {
      expect(taken({ ...ec, kid })?.keyId).toBe(kid);
    },
  );

  test('with members nobody knows, which are left behind', () => {
    const authority = taken({ ...ec, x5c: ['AAAA'], key_ops: ['verify'], spiffe_extra: { deep: true } });
    expect(authority?.jwk).toEqual({ kty: 'EC', crv: 'P-256', x: ec['x'], y: ec['y'] });
  });
});

describe('a key is passed over, and the others are not', () => {
  test('when its type comes from __proto__', () => {
    const text = `{"keys":[{"__proto__":${JSON.stringify(ec)},"kid":"k"}]}`;
    expect(JwtBundle.parse(TrustDomain.parse('example.org'), text).authorities).toEqual([]);
  });
});

describe('an RSA key is passed over', () => {
  const modulus = (bits: number): string => {
    const bytes = Buffer.alloc(Math.ceil(bits / 8), 0xff);
    bytes[0] = 0xff >> (bytes.length * 8 - bits);
    return base64url(bytes);
  };

  test.each([512, 1024, 2040, 2047, 16_385, 800_000])('of %i bits (RFC 7518 3.3, OpenSSL)', (bits) => {
    expect(taken({ ...rsa, n: modulus(bits) })).toBeUndefined();
  });

  test.each([2048, 3072, 4096, 16_384])('but not of %i bits', (bits) => {
    expect(taken({ ...rsa, n: modulus(bits) })?.key.asymmetricKeyDetails?.modulusLength).toBe(bits);
  });

  test('of 1024 bits that is really one', () => {
    expect(taken({ kid: 'k', ...publicJwk('example.org/rsa-1024') })).toBeUndefined();
  });

  test.each([
    ['0', 'AA'],
    ['1, with which anybody could sign', 'AQ'],
    ['2', 'Ag'],
    ['65536', 'AQAA'],
    ['2^31 + 1', 'gAAAAQ'],
    ['as large as its modulus', rsa['n']],
    ['of no digits', ''],
  ])('with an exponent of %s (RFC 8017 3.1)', (_, e) => {
    expect(taken({ ...rsa, e })).toBeUndefined();
  });

  test.each([
    ['3', 'Aw'],
    ['65537', 'AQAB'],
    ['2^31 - 1', 'f____w'],
  ])('but not with an exponent of %s', (_, e) => {
    expect(taken({ ...rsa, e })?.jwk).toMatchObject({ e });
  });
});

describe('what is published of a key', () => {
  test.each([
    ['RSA', 'example.org/rsa-2048', ['e', 'kty', 'n']],
    ['EC', 'example.org/ec-p256', ['crv', 'kty', 'x', 'y']],
  ])('is its public part, also where the bundle holds the private one: %s', (_, name, members) => {
    const secret = privateJwk(name);
    const authority = taken({ kid: 'k', ...secret });
    expect(Object.keys(authority?.jwk ?? {}).sort()).toEqual(members);
    expect(authority?.jwk).toEqual(publicJwk(name));
    expect(authority?.key.type).toBe('public');
    expect(JSON.stringify(authority)).not.toContain(secret['d']);
  });

  test.each([
    ['has spaces before it', 'n', (text: string) => `  ${text}`],
    ['has a line break in it', 'n', (text: string) => `${text.slice(0, 64)}\n${text.slice(64)}`],
    ['has padding', 'n', (text: string) => `${text}==`],
    ['is in the standard alphabet', 'n', (text: string) => text.replaceAll('-', '+').replaceAll('_', '/')],
    ['begins with a zero', 'n', () => base64url(Buffer.concat([Buffer.alloc(1), bytesOf(rsa, 'n')]))],
    ['begins with a zero', 'e', () => 'AAEAAQ'],
  ])('is spelled as RFC 7518 6.3.1 has it, also where the bundle %s: %s', (_, member, spelled) => {
    const authority = taken({ ...rsa, [member]: spelled(String(rsa[member])) });
    expect(authority?.jwk).toEqual({ kty: 'RSA', n: rsa['n'], e: 'AQAB' });
  });

  test.each([
    ['has padding', () => `${ec['x']}=`],
    ['has a line break at its end', () => `${ec['x']}\n`],
    ['begins with zeros', () => base64url(Buffer.concat([Buffer.alloc(4), bytesOf(ec, 'x')]))],
  ])('is as long as RFC 7518 6.2.1 has it, also where a coordinate %s', (_, spelled) => {
    expect(taken({ ...ec, x: spelled() })?.jwk).toEqual({ kty: 'EC', crv: 'P-256', x: ec['x'], y: ec['y'] });
  });

  test('cannot be changed', () => {
    const authority = taken(ec);
    expect(Object.isFrozen(authority)).toBe(true);
    expect(Object.isFrozen(authority?.jwk)).toBe(true);
  });
});
