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
  test.each(['example.org', 'a', '0', '-', '_', '.', '...', '1.2.3.4', 'localhost', 'a_b-c.d', 'x'.repeat(255)])(
    '%j is read and prints as it was written',
    (name) => {
      const trustDomain = TrustDomain.parse(name);
      expect(trustDomain.name).toBe(name);
      expect(String(trustDomain)).toBe(name);
      expect(trustDomain.id).toBe(`spiffe://${name}`);
      expect(JSON.stringify({ trustDomain })).toBe(JSON.stringify({ trustDomain: name }));
    },
  );

  test('holds each allowed character, and no other, at its beginning, middle and end', () => {
    const wrong: string[] = [];
    for (const char of CHARACTERS) {
      for (const name of [char, `${char}b`, `a${char}b`, `a${char}`]) {
        if (isTrustDomain(name) !== ALLOWED.includes(char)) wrong.push(name);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['is empty', '', 'is empty'],
    ['has an upper case letter, which is not folded', 'Example.org', 'not "E"'],
    ['is an ID and not a name', 'spiffe://example.org', 'not ":"'],
    ['has a port', 'example.org:443', 'not ":"'],
    ['has a user', 'user@example.org', 'not "@"'],
    ['has a path', 'example.org/api', 'not "/"'],
    ['has a space at its end', 'example.org ', 'not " "'],
    ['has a line break at its end', 'example.org\n', 'not "\\n"'],
    ['is percent encoded', 'ex%61mple.org', 'not "%"'],
    ['is an IPv6 address', '[::1]', 'not "["'],
    ['has a letter that looks like an a', 'ex\u0430mple.org', 'not "\u0430"'],
    ['has a letter beyond 16 bits', 'a\u{1d41a}', 'not "\u{1d41a}"'],
    ['has half of such a letter', 'a\ud835', 'not "\\ud835"'],
  ])('that %s is refused', async (_, name, said) => {
    const error = await refusal(() => TrustDomain.parse(name));
    expect(error.code).toBe('trust_domain_invalid');
    expect(error.message).toContain(said);
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
