import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../src/base/errors.ts';
import { JWT_SVID_ALGORITHMS, JwtBundle, jwtBundleSet } from '../../src/spiffe/jwt-bundle.ts';
import { verifyJwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { refusal } from '../support/errors.ts';
import {
  buildToken,
  expectation,
  type JwtSvidVector,
  vectorAudience,
  vectorBundles,
  vectorFiles,
  vectorLeewaySeconds,
  vectors,
} from '../support/jwt-svid-vectors.ts';

const NOW_SECONDS = Date.parse('2026-11-22T12:00:00Z') / 1000;

const options = {
  bundles: jwtBundleSet(
    Object.entries(vectorBundles()).map(([name, jwkSet]) =>
      JwtBundle.parse(TrustDomain.parse(name), JSON.stringify(jwkSet)),
    ),
  ),
  audience: vectorAudience,
  now: NOW_SECONDS * 1000,
  leewaySeconds: vectorLeewaySeconds,
};

for (const [file, fileVectors] of vectorFiles) {
  describe(`the verifier and the vectors of ${file}`, () => {
    for (const vector of fileVectors) {
      test(`${vector.name} (${vector.source}): ${vector.expect}`, () => check(vector));
    }
  });
}

async function check(vector: JwtSvidVector): Promise<void> {
  const token = buildToken(vector, NOW_SECONDS);
  const expected = expectation(vector);
  if ('spiffeId' in expected) {
    const svid = await verifyJwtSvid(token, options);
    expect(svid.spiffeId.toString()).toBe(expected.spiffeId);
    expect(svid.token.reveal()).toBe(token);
    return;
  }
  const error = await refusal(verifyJwtSvid(token, options));
  expect(error.code).toBe(expected.code);
  const said = `${error.message} ${error.detail ?? ''}`;
  expect(said).toContain(vector.says ?? '');
  for (const part of token.split('.').filter(({ length }) => length > 8)) expect(said).not.toContain(part);
}

describe('the vectors themselves', () => {
  test('no two have the same name', () => {
    const names = vectors.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('every way to refuse a token is among them', () => {
    const codes = Object.keys(ERROR_CODES).filter((code) => code.startsWith('token_'));
    expect(
      [...new Set(vectors.map((vector) => vector.expect))].filter((text) => text.startsWith('token_')).sort(),
    ).toEqual(codes.sort());
  });

  test('every algorithm of JWT-SVID section 2.1 is accepted in one of them', () => {
    const accepted = vectors.filter((vector) => 'spiffeId' in expectation(vector)).map(({ header }) => header['alg']);
    expect(JWT_SVID_ALGORITHMS.filter((algorithm) => !accepted.includes(algorithm))).toEqual([]);
  });

  test('each malformed token says what its fault is', () => {
    const malformed = vectors.filter((vector) => vector.expect === 'token_malformed');
    expect(malformed.filter(({ says }) => says === undefined).map(({ name }) => name)).toEqual([]);
  });

  test('more are refused than accepted', () => {
    const refused = vectors.filter((vector) => 'code' in expectation(vector));
    expect(refused.length).toBeGreaterThan(vectors.length * 0.7);
  });
});
