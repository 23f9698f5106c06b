import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JwtBundle, jwtBundleSet } from '../../src/spiffe/jwt-bundle.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { anyText } from '../support/any-text.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import { publicJwk } from '../support/signing-keys.ts';

const example = TrustDomain.parse('example.org');
const other = TrustDomain.parse('other.org');

/** A key of its own for each name, under the name as its ID. */
function jwk(kid: string, name = kid): object {
  return { kid, ...publicJwk(`example.org/ec-p256-${name}`) };
}

function bundle(keys: readonly unknown[], trustDomain = example): JwtBundle {
  return JwtBundle.parse(trustDomain, JSON.stringify({ keys }));
}

function keyIds({ authorities }: JwtBundle): string[] {
  return authorities.map(({ keyId }) => keyId);
}

describe('the document of a bundle', () => {
  test('is read as text and as UTF-8 bytes', () => {
    const text = JSON.stringify({ keys: [jwk('\u00e9\u{1f511}')] });
    expect(keyIds(JwtBundle.parse(example, text))).toEqual(['\u00e9\u{1f511}']);
    expect(keyIds(JwtBundle.parse(example, new TextEncoder().encode(text)))).toEqual(['\u00e9\u{1f511}']);
  });

  test('may be without keys, and then nothing is trusted (Trust Domain and Bundle 4.1.3)', () => {
    expect(bundle([])).toMatchObject({ authorities: [], skippedKeys: 0 });
    expect(bundle([]).candidates(undefined)).toEqual([]);
  });

  test('may be without a key that is understood', () => {
    expect(bundle([{ kty: 'new' }, 7])).toMatchObject({ authorities: [], skippedKeys: 2 });
  });

  test('may hold 1,000 keys, and no more', async () => {
    const key = jwk('a');
    expect(keyIds(bundle(Array(1000).fill(key)))).toEqual(['a']);
    const error = await refusal(() => bundle(Array(1001).fill(key)));
    expect(error.code).toBe('bundle_invalid');
    expect(error.message).toBe('the bundle of example.org has more than 1000 keys');
  });

  test('is refused and does not overflow the stack when it is nested without end', async () => {
    expect(await refusalCode(() => JwtBundle.parse(example, '['.repeat(1_000_000)))).toBe('bundle_invalid');
    const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
    expect(await refusalCode(() => JwtBundle.parse(example, `{"keys":[${deep}]}`))).toBe('bundle_invalid');
  });

  test('is read or refused with bundle_invalid, whatever it is', async () => {
    const documents = fc.oneof(
      anyText(),
      fc.json(),
      fc.uint8Array(),
      fc.record({ keys: fc.array(fc.jsonValue()) }).map((value) => JSON.stringify(value)),
      fc
        .array(fc.record({ kid: fc.string(), kty: fc.constantFrom('RSA', 'EC'), n: fc.string(), e: fc.string() }))
        .map((keys) => JSON.stringify({ keys })),
    );
    await fc.assert(
      fc.asyncProperty(documents, async (document) => {
        const read = JwtBundle.parse.bind(JwtBundle, example, document);
        try {
          expect(read().authorities).toEqual([]);
        } catch {
          expect(await refusalCode(read)).toBe('bundle_invalid');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the order of keys', () => {
  const keys = [jwk('b'), jwk('a'), jwk('c'), jwk('twin', 'd'), jwk('twin', 'e'), jwk('twin', 'f')];

  test('does not depend on the order in which they came, not even where IDs are shared', () => {
    const reference = bundle(keys);
    fc.assert(
      fc.property(fc.shuffledSubarray(keys, { minLength: keys.length }), (shuffled) => {
        const same = bundle(shuffled);
        expect(same.equals(reference)).toBe(true);
        expect(same.authorities.map(({ jwk }) => jwk)).toEqual(reference.authorities.map(({ jwk }) => jwk));
      }),
    );
    expect(keyIds(reference)).toEqual(['a', 'b', 'c', 'twin', 'twin', 'twin']);
  });

  test('a key that comes twice is there once', () => {
    const twice = bundle([jwk('a'), jwk('b'), jwk('a')]);
    expect(keyIds(twice)).toEqual(['a', 'b']);
    expect(twice.equals(bundle([jwk('b'), jwk('a')]))).toBe(true);
    expect(twice.skippedKeys).toBe(0);
  });
});

describe('two bundles are not equal', () => {
  const reference = bundle([jwk('a'), jwk('b')]);

  test.each([
    ['one key is missing', bundle([jwk('a')])],
    ['there is one key more', bundle([jwk('a'), jwk('b'), jwk('c')])],
    ['all keys are missing', bundle([])],
    ['a key has another ID', bundle([jwk('a'), jwk('B', 'b')])],
    ['an ID has another key', bundle([jwk('a'), jwk('b', 'c')])],
    ['two keys have exchanged their IDs', bundle([jwk('a', 'b'), jwk('b', 'a')])],
    ['they are of different trust domains', bundle([jwk('a'), jwk('b')], other)],
  ])('when %s', (_, different) => {
    expect(reference.equals(different)).toBe(false);
    expect(different.equals(reference)).toBe(false);
  });

  test('when a key is for fewer algorithms', () => {
    const rsa = { kid: 'r', ...publicJwk('example.org/rsa-2048') };
    expect(bundle([rsa]).equals(bundle([{ ...rsa, alg: 'RS256' }]))).toBe(false);
  });

  test('but they are when only a key differs that is passed over, or what is not trusted with', () => {
    expect(reference.equals(bundle([jwk('a'), { ...jwk('b'), use: 'sig', x5t: 'x' }, { kty: 'new' }]))).toBe(true);
  });
});

describe('the keys that a token may be signed with', () => {
  const twins = bundle([jwk('a'), jwk('twin', 'b'), jwk('twin', 'c')]);

  test.each([
    ['all, for a token without kid', undefined, ['a', 'twin', 'twin']],
    ['the one of its kid', 'a', ['a']],
    ['both of a kid that two share', 'twin', ['twin', 'twin']],
    ['none for an unknown kid', 'x', []],
    ['none for an empty kid', '', []],
    ['none for __proto__', '__proto__', []],
  ])('are %s', (_, kid, expected) => {
    expect(twins.candidates(kid).map(({ keyId }) => keyId)).toEqual(expected);
  });

  test('cannot be changed from outside', () => {
    expect(Object.isFrozen(twins)).toBe(true);
    expect(Object.isFrozen(twins.authorities)).toBe(true);
    expect(() => Array.prototype.push.call(twins.candidates(undefined), 'x')).toThrow(TypeError);
  });
});

describe('a set of bundles', () => {
  const set = jwtBundleSet([bundle([jwk('a')]), bundle([jwk('b')], other)]);

  test('finds each by its own trust domain', () => {
    expect(keyIds(set.get(example) ?? bundle([]))).toEqual(['a']);
    expect(keyIds(set.get(other) ?? bundle([]))).toEqual(['b']);
  });

  test('holds one of a trust domain, the last, and never mixes the keys of two', () => {
    const twice = jwtBundleSet([bundle([jwk('a')]), bundle([jwk('b')], other), bundle([jwk('c')])]);
    expect(keyIds(twice.get(example) ?? bundle([]))).toEqual(['c']);
    expect(keyIds(jwtBundleSet([bundle([jwk('a')]), bundle([])]).get(example) ?? bundle([jwk('x')]))).toEqual([]);
  });

  test.each(['nowhere.org', 'example.org.', 'example', 'org', '__proto__', 'constructor'])(
    'has none for %s',
    (name) => {
      expect(set.get(TrustDomain.parse(name))).toBeUndefined();
    },
  );
});
