import { describe, expect, test } from 'vitest';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { refusal } from '../support/errors.ts';
import { spiffeIdVectors, trustDomainVectors } from '../support/spiffe-id-vectors.ts';

describe('the vectors of SPIFFE IDs', () => {
  for (const vector of spiffeIdVectors) {
    const outcome = typeof vector.expect === 'string' ? vector.expect : 'accepted';
    test(`${vector.name} (${vector.source}): ${outcome}`, async () => {
      if (typeof vector.expect === 'string') {
        await expectRefusal(() => SpiffeId.parse(vector.id), vector.expect, vector.says);
        return;
      }
      const id = SpiffeId.parse(vector.id);
      expect({ trustDomain: id.trustDomain.name, path: id.path }).toEqual(vector.expect);
      expect(String(id)).toBe(vector.id);
      expect(JSON.stringify([id])).toBe(JSON.stringify([vector.id]));
      expect(SpiffeId.of(id.trustDomain, id.path).equals(id)).toBe(true);
    });
  }
});

describe('the vectors of trust domains', () => {
  for (const vector of trustDomainVectors) {
    test(`${vector.name} (${vector.source}): ${vector.expect}`, async () => {
      if (vector.expect !== 'accepted') {
        await expectRefusal(() => TrustDomain.parse(vector.trustDomain), vector.expect, vector.says);
        return;
      }
      const trustDomain = TrustDomain.parse(vector.trustDomain);
      expect([trustDomain.name, String(trustDomain)]).toEqual([vector.trustDomain, vector.trustDomain]);
      expect(trustDomain.id).toBe(`spiffe://${vector.trustDomain}`);
      expect(JSON.stringify({ trustDomain })).toBe(JSON.stringify({ trustDomain: vector.trustDomain }));
    });
  }
});

describe('the vectors themselves', () => {
  test.each([
    ['SPIFFE IDs', spiffeIdVectors],
    ['trust domains', trustDomainVectors],
  ])('of %s: no two have the same name, and each that is refused says why', (_, vectors) => {
    const names = vectors.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const refused = vectors.filter((vector) => typeof vector.expect === 'string' && vector.expect !== 'accepted');
    expect(refused.filter(({ says }) => says === undefined)).toEqual([]);
    expect(refused.length).toBeGreaterThan(vectors.length / 2);
  });
});

async function expectRefusal(work: () => unknown, code: string, says = ''): Promise<void> {
  const error = await refusal(work);
  expect(error.code).toBe(code);
  expect(error.message).toContain(says);
  expect(error.message.length).toBeLessThan(120);
}
