import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { anyText } from '../support/any-text.ts';
import { refusal, refusalCode } from '../support/errors.ts';

/** SPIFFE-ID section 2.2, written as the specification words it and not as the source does. */
const ALLOWED = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_';

const example = TrustDomain.parse('example.org');

/** Each code unit of Latin-1, and of what lies beyond it each 97th and the surrogates' borders. */
const CHARACTERS = Array.from({ length: 65_536 }, (_, code) => code)
  .filter((code) => code <= 0xff || code % 97 === 0 || [0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xfeff].includes(code))
  .map((code) => String.fromCharCode(code))
  .concat('\u{10000}', '\u{1d41a}', '\u{10ffff}');

describe('each character in each place of a SPIFFE ID', () => {
  test('of the path is one of SPIFFE-ID 2.2, or the slash between segments', () => {
    const wrong: string[] = [];
    for (const char of CHARACTERS) {
      for (const path of [`/${char}`, `/${char}b`, `/a${char}b`, `/a${char}`, `/x/a${char}b/y`, `/x/${char}/y`]) {
        const segments = path.slice(1).split('/');
        const allowed =
          (ALLOWED.includes(char) || char === '/') && segments.every((text) => text !== '' && text !== '.');
        if (isSpiffeId(`spiffe://example.org${path}`) !== allowed) wrong.push(path);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('of the trust domain is one of SPIFFE-ID 2.1, or the slash that ends it', () => {
    const wrong: string[] = [];
    for (const char of CHARACTERS) {
      for (const text of [`${char}b/api`, `a${char}b/api`, `a${char}/api`, `a${char}b`]) {
        const allowed = (ALLOWED.includes(char) && !/[A-Z]/.test(char)) || (char === '/' && /^a\/b/.test(text));
        if (isSpiffeId(`spiffe://${text}`) !== allowed) wrong.push(text);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('of the scheme is the one that stands there', () => {
    const good = 'spiffe://example.org/api';
    const wrong: string[] = [];
    for (const char of CHARACTERS) {
      for (let index = 0; index < 'spiffe://'.length; index += 1) {
        const replaced = good.slice(0, index) + char + good.slice(index + 1);
        const inserted = good.slice(0, index) + char + good.slice(index);
        for (const text of [replaced, inserted]) if (text !== good && isSpiffeId(text)) wrong.push(text);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('the length of a SPIFFE ID', () => {
  const withLength = (length: number): string => `spiffe://example.org/${'x'.repeat(length - 21)}`;

  test('may be 2048 bytes, scheme and trust domain included', () => {
    expect(SpiffeId.parse(withLength(2048)).toString()).toHaveLength(2048);
    expect(SpiffeId.of(example, `/${'x'.repeat(2048 - 21)}`).toString()).toHaveLength(2048);
  });

  test('may not be 2049 bytes', async () => {
    expect(await refusalCode(() => SpiffeId.parse(withLength(2049)))).toBe('spiffe_id_invalid');
    expect(await refusalCode(() => SpiffeId.of(example, `/${'x'.repeat(2049 - 21)}`))).toBe('spiffe_id_invalid');
  });

  test('may be all of 255 bytes of trust domain and the rest of path', () => {
    const text = `spiffe://${'x'.repeat(255)}/${'y'.repeat(2048 - 9 - 255 - 1)}`;
    expect(SpiffeId.parse(text).toString()).toBe(text);
  });

  test('is looked at first, and what is too long is not quoted', async () => {
    for (const work of [
      () => SpiffeId.parse('/'.repeat(10_000_000)),
      () => SpiffeId.of(example, '/'.repeat(10_000_000)),
    ]) {
      expect((await refusal(work)).message).toBe('the SPIFFE ID is longer than 2048 bytes');
    }
  });
});

describe('a SPIFFE ID from trust domain and path', () => {
  test('is the one that its text reads as', () => {
    expect(SpiffeId.of(example, '/a/b').equals(SpiffeId.parse('spiffe://example.org/a/b'))).toBe(true);
    expect(SpiffeId.of(example, '').equals(SpiffeId.parse('spiffe://example.org'))).toBe(true);
  });

  test.each(['a', 'a/b', '/', '//', '/a/', '/..', '/a?b', '.evil.org/a', ':443/a', '@evil.org', ' ', '\0'])(
    'is refused for the path %j',
    async (path) => {
      expect(await refusalCode(() => SpiffeId.of(example, path))).toBe('spiffe_id_invalid');
    },
  );
});

describe('any text at all', () => {
  const segment = fc.string({ unit: fc.constantFrom(...ALLOWED), minLength: 1, maxLength: 20 });
  const path = fc.array(segment, { maxLength: 6 }).map((segments) => segments.map((text) => `/${text}`).join(''));

  test('that is a SPIFFE ID by its grammar is read and printed back exactly, and reads the same again', () => {
    fc.assert(
      fc.property(path, (text) => {
        fc.pre(!text.split('/').some((part) => part === '.' || part === '..'));
        const id = SpiffeId.parse(`spiffe://example.org${text}`);
        expect(id.toString()).toBe(`spiffe://example.org${text}`);
        expect(SpiffeId.parse(id.toString()).equals(id)).toBe(true);
      }),
    );
  });

  test('is read and printed back exactly, or refused with the right code', async () => {
    const wild = fc.oneof(
      anyText(),
      anyText().map((text) => `spiffe://${text}`),
      fc
        .string({ unit: fc.constantFrom('a', 'A', '.', '/', '%', ':', '@', '?', '#') })
        .map((text) => `spiffe://${text}`),
    );
    await fc.assert(
      fc.asyncProperty(wild, async (text) => {
        // What is read but prints otherwise is not refused, and fails here.
        if (isSpiffeId(text)) return;
        expect(['spiffe_id_invalid', 'trust_domain_invalid']).toContain(await refusalCode(() => SpiffeId.parse(text)));
      }),
      { numRuns: 500 },
    );
  });
});

describe('two SPIFFE IDs', () => {
  test.each([
    ['spiffe://example.org/API', 'spiffe://example.org/api'],
    ['spiffe://example.org', 'spiffe://example.org/api'],
    ['spiffe://example.org/api', 'spiffe://example.com/api'],
    ['spiffe://example.org/a/b', 'spiffe://example.org/a.b'],
  ])('%s and %s are not equal', (left, right) => {
    expect(SpiffeId.parse(left).equals(SpiffeId.parse(right))).toBe(false);
    expect(SpiffeId.parse(left).equals(SpiffeId.parse(left))).toBe(true);
  });
});

test('a SPIFFE ID cannot be changed', () => {
  const id = SpiffeId.parse('spiffe://example.org/api');
  expect(Reflect.set(id, 'path', '/admin')).toBe(false);
  expect(Reflect.set(id.trustDomain, 'name', 'evil.org')).toBe(false);
});

/** Whether the text is read, and as itself. */
function isSpiffeId(text: string): boolean {
  try {
    return SpiffeId.parse(text).toString() === text;
  } catch (error) {
    if (error instanceof SvidxError) return false;
    throw error;
  }
}
