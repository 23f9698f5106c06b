import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { anyText } from '../support/any-text.ts';
import { refusal, refusalCode } from '../support/errors.ts';

/** SPIFFE-ID section 2.1, written as the specification words it and not as the source does. */
const ALLOWED = 'abcdefghijklmnopqrstuvwxyz0123456789.-_';

/** All of Latin, Greek and Cyrillic, and from the surrogates to the full-width forms at the end of 16 bits. */
const CHARACTERS = Array.from({ length: 65_536 }, (_, code) => String.fromCharCode(code)).filter(
  (char) => char < '\u0530' || char > '\uf8ff' || /[\ud800\udfff]/u.test(char),
);

describe('a trust domain name', () => {
  test('holds each allowed character, and no other, at its beginning, middle and end', () => {
    const wrong: string[] = [];
    for (const char of CHARACTERS) {
      for (const name of [char, `${char}b`, `a${char}b`, `a${char}`]) {
        if (isTrustDomain(name) !== ALLOWED.includes(char)) wrong.push(name);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('of 256 characters is refused, of 255 not', async () => {
    expect(await refusalCode(() => TrustDomain.parse('x'.repeat(256)))).toBe('trust_domain_invalid');
    expect(TrustDomain.parse('x'.repeat(255)).name).toHaveLength(255);
  });

  test('is refused at once however long it is, and not quoted', async () => {
    const error = await refusal(() => TrustDomain.parse('x'.repeat(10_000_000)));
    expect(error.message).toBe('the trust domain name is longer than 255 bytes');
  });
});

describe('any text at all', () => {
  test('is read and printed back exactly, or refused with trust_domain_invalid', async () => {
    const text = fc.oneof(anyText(), fc.string({ unit: fc.constantFrom(...ALLOWED, 'A', '/', ':'), maxLength: 300 }));
    await fc.assert(
      fc.asyncProperty(text, async (name) => {
        const valid = name.length > 0 && name.length <= 255 && [...name].every((char) => ALLOWED.includes(char));
        if (valid) expect(TrustDomain.parse(name).toString()).toBe(name);
        else expect(await refusalCode(() => TrustDomain.parse(name))).toBe('trust_domain_invalid');
      }),
    );
  });
});

describe('two trust domains', () => {
  test('are equal exactly when their names are', () => {
    const example = TrustDomain.parse('example.org');
    expect(example.equals(TrustDomain.parse('example.org'))).toBe(true);
    expect(example.equals(TrustDomain.parse('example.org.'))).toBe(false);
    expect(example.equals(TrustDomain.parse('example.or'))).toBe(false);
  });
});

test('a trust domain cannot be changed', () => {
  const trustDomain = TrustDomain.parse('example.org');
  expect(Reflect.set(trustDomain, 'name', 'evil.org')).toBe(false);
  expect(Object.isFrozen(trustDomain)).toBe(true);
  expect(inspect(trustDomain)).toContain('example.org');
});

function isTrustDomain(text: string): boolean {
  try {
    return TrustDomain.parse(text).name === text;
  } catch {
    return false;
  }
}
