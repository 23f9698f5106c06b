import { describe, expect, test } from 'vitest';
import { JwtBundle } from '../../src/spiffe/jwt-bundle.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { refusal } from '../support/errors.ts';
import { buildBundle, type JwtBundleVector, jwtBundleVectors } from '../support/jwt-bundle-vectors.ts';
import { privateJwk, publicJwk } from '../support/signing-keys.ts';

const example = TrustDomain.parse('example.org');

describe('the vectors of JWT bundles', () => {
  for (const vector of jwtBundleVectors) {
    test(`${vector.name} (${vector.source})`, () => check(vector));
  }
});

async function check(vector: JwtBundleVector): Promise<void> {
  const bytes = buildBundle(vector);
  if (vector.expect === 'bundle_invalid') {
    const error = await refusal(() => JwtBundle.parse(example, bytes, vector.form));
    expect(error.code).toBe('bundle_invalid');
    expect(error.message).toBe(
      'the bundle of example.org must be a JSON object of unique members with an array "keys"',
    );
    return;
  }
  const bundle = JwtBundle.parse(example, bytes, vector.form);
  expect(bundle.authorities.map(({ keyId }) => keyId).sort()).toEqual(vector.expect.keyIds);
  expect(bundle.skippedKeys).toBe(vector.expect.skipped);
  for (const { keyId, jwk, key } of bundle.authorities) {
    expect(Object.keys(jwk).filter((member) => !['kty', 'n', 'e', 'crv', 'x', 'y'].includes(member))).toEqual([]);
    expect(key.type).toBe('public');
    if (/^(rsa|ec)-\w+$/.test(keyId)) {
      expect(jwk).toEqual(publicJwk(`example.org/${keyId}`));
      expect(JSON.stringify(bundle)).not.toContain(privateJwk(`example.org/${keyId}`)['d']);
    }
  }
}

describe('the vectors themselves', () => {
  test('no two have the same name', () => {
    const names = jwtBundleVectors.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('where a key is passed over, the others are not, or none is usable', () => {
    const lost = jwtBundleVectors.filter(
      ({ expect: expected }) => expected !== 'bundle_invalid' && expected.skipped === 1 && expected.keyIds.length === 0,
    );
    expect(lost).toEqual([]);
  });
});
