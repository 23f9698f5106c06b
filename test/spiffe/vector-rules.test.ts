import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { jwtBundleVectors } from '../support/jwt-bundle-vectors.ts';
import { vectors } from '../support/jwt-svid-vectors.ts';
import { readVectors, spiffeIdVectors, trustDomainVectors } from '../support/spiffe-id-vectors.ts';

const rules = z
  .array(
    z.strictObject({
      source: z.string(),
      level: z.enum(['MUST', 'SHOULD', 'MAY']),
      rule: z.string(),
      shown: z.array(z.enum(['accepted', 'refused'])).min(1),
    }),
  )
  .parse(readVectors('rules.json'));

interface Shown {
  readonly source: string;
  readonly outcome: 'accepted' | 'refused';
}

/** A bundle of which a key is passed over refuses that key. */
const shown: readonly Shown[] = [
  ...vectors.map(({ source, expect: expected }) => ({ source, refused: expected.startsWith('token_') })),
  ...spiffeIdVectors.map(({ source, expect: expected }) => ({ source, refused: typeof expected === 'string' })),
  ...trustDomainVectors.map(({ source, expect: expected }) => ({ source, refused: expected !== 'accepted' })),
  ...jwtBundleVectors.map(({ source, expect: expected }) => ({
    source,
    refused: expected === 'bundle_invalid' || expected.skipped > 0,
  })),
].map(({ source, refused }) => ({ source, outcome: refused ? 'refused' : 'accepted' }));

describe('each rule for a validator is shown by a vector', () => {
  for (const { source, level, rule, shown: outcomes } of rules) {
    test(`${source}, ${level}: ${rule}`, () => {
      for (const outcome of outcomes) expect(shown).toContainEqual({ source, outcome });
    });
  }

  test('and none stands twice', () => {
    const sources = rules.map(({ source }) => source);
    expect(sources.filter((source, index) => sources.indexOf(source) !== index)).toEqual([]);
  });
});

describe('where another validator differs', () => {
  const all = [...vectors, ...spiffeIdVectors, ...trustDomainVectors, ...jwtBundleVectors];

  test('its name stands beside the vector, and what it does', () => {
    const differences = all.flatMap(({ differs }) => Object.entries(differs ?? {}));
    expect(differences.filter(([name]) => name !== 'go-spiffe')).toEqual([]);
    expect(differences.filter(([, what]) => what.length < 10)).toEqual([]);
    expect(differences.length).toBeGreaterThan(100);
  });
});
