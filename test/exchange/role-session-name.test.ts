import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { roleSessionName } from '../../src/exchange/role-session-name.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';

/** STS API reference, AssumeRoleWithWebIdentity, RoleSessionName. */
const LEGAL = /^[A-Za-z0-9_+=,.@-]{2,64}$/;

const TRUST_DOMAIN_CHARS = 'abcdefghijklmnopqrstuvwxyz0123456789.-_';
const PATH_CHARS = `${TRUST_DOMAIN_CHARS}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;

function text(alphabet: string, maxLength: number) {
  return fc
    .array(fc.constantFrom(...alphabet), { minLength: 1, maxLength })
    .map((chars) => chars.join(''))
    .filter((chars) => chars !== '.' && chars !== '..');
}

/** Valid SPIFFE IDs, most of them short enough for a readable name, some as long as they may be (2,048 bytes). */
const spiffeIds = fc.oneof(ids(10, 3, 12), ids(255, 40, 120));

function ids(trustDomainLength: number, segments: number, segmentLength: number) {
  return fc
    .tuple(
      text(TRUST_DOMAIN_CHARS, trustDomainLength),
      fc.array(text(PATH_CHARS, segmentLength), { maxLength: segments }),
    )
    .map(([trustDomain, path]) => ['spiffe:/', trustDomain, ...path].join('/'))
    .filter((id) => id.length <= 2048)
    .map((id) => SpiffeId.parse(id));
}

function name(id: string): string {
  return roleSessionName(SpiffeId.parse(id));
}

describe('a short SPIFFE ID', () => {
  test.each([
    ['spiffe://example.org/billing/api', 'billing=api@example.org'],
    ['spiffe://example.org', '@example.org'],
    ['spiffe://a', '@a'],
    ['spiffe://td_1.x-y/A.b_c-d', 'A.b_c-d@td_1.x-y'],
  ])('%s has the name %s', (id, expected) => {
    expect(name(id)).toBe(expected);
  });

  test('keeps its whole name up to 64 characters', () => {
    const exactly = `spiffe://example.org/${'a'.repeat(64 - '@example.org'.length)}`;
    expect(name(exactly)).toBe(`${'a'.repeat(52)}@example.org`);
    expect(name(exactly)).toHaveLength(64);
    expect(name(`${exactly}a`)).not.toContain('a'.repeat(52));
    expect(name(`${exactly}a`)).toHaveLength(64);
  });

  test('can be read back from its name, so no two have the same', () => {
    fc.assert(
      fc.property(ids(10, 3, 12), (id) => {
        const [path = '', trustDomain] = roleSessionName(id).split('@');
        expect(`spiffe://${trustDomain}${path === '' ? '' : `/${path.replaceAll('=', '/')}`}`).toBe(id.toString());
      }),
      { numRuns: 500 },
    );
  });
});

describe('any SPIFFE ID', () => {
  test('has a name that AWS STS takes', () => {
    fc.assert(
      fc.property(spiffeIds, (id) => {
        expect(roleSessionName(id)).toMatch(LEGAL);
      }),
      { numRuns: 1000 },
    );
  });

  test('has a name that AWS STS takes also at 2,048 bytes and with every character there is', () => {
    const longest = `spiffe://${'d'.repeat(255)}/${'p'.repeat(2048 - 9 - 255 - 1)}`;
    expect(longest).toHaveLength(2048);
    expect(name(longest)).toMatch(LEGAL);
    for (const char of PATH_CHARS) expect(name(`spiffe://example.org/x${char}`)).toMatch(LEGAL);
    for (const char of TRUST_DOMAIN_CHARS) expect(name(`spiffe://x${char}/x`)).toMatch(LEGAL);
  });

  test('has the same name each time', () => {
    fc.assert(
      fc.property(spiffeIds, (id) => {
        expect(roleSessionName(SpiffeId.parse(id.toString()))).toBe(roleSessionName(id));
      }),
    );
  });
});

describe('a long SPIFFE ID', () => {
  const end = `/${'x'.repeat(60)}`;

  test('keeps the end of its name, then + and a hash', () => {
    expect(name(`spiffe://example.org/team-a${end}`)).toMatch(/^x{29}@example\.org\+[A-Za-z0-9_-]{22}$/);
  });

  test('has another name when a single early character differs', () => {
    const names = [...PATH_CHARS]
      .filter((char) => char !== '.')
      .map((char) => name(`spiffe://example.org/${char}${end}`));
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(names.map((text) => text.slice(0, 41))).size).toBe(1);
    const trustDomain = 'd'.repeat(80);
    expect(name(`spiffe://a${trustDomain}/x`)).not.toBe(name(`spiffe://b${trustDomain}/x`));
    expect(name(`spiffe://example.org/a/b${end}`)).not.toBe(name(`spiffe://example.org/a.b${end}`));
  });

  test('never has the name of a short one', () => {
    const long = name(`spiffe://example.org${end}`);
    expect(long).toContain('+');
    fc.assert(
      fc.property(ids(10, 3, 12), (id) => {
        expect(roleSessionName(id)).not.toContain('+');
      }),
    );
  });

  test('shares its name with none of 100,000 others', () => {
    const names = new Set<string>();
    for (let i = 0; i < 100_000; i += 1) names.add(name(`spiffe://example.org/${i}${end}`));
    expect(names.size).toBe(100_000);
  });
});
