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

describe('a SPIFFE ID', () => {
  test.each([
    ['spiffe://example.org', 'example.org', ''],
    ['spiffe://example.org/api', 'example.org', '/api'],
    ['spiffe://example.org/Team/API_2/v1.0-b', 'example.org', '/Team/API_2/v1.0-b'],
    ['spiffe://example.org/...', 'example.org', '/...'],
    ['spiffe://example.org/.a/a./-/_/..a', 'example.org', '/.a/a./-/_/..a'],
    ['spiffe://1.2.3.4/9eebccd2-12bf-40a6-b262-65fe0487d453', '1.2.3.4', '/9eebccd2-12bf-40a6-b262-65fe0487d453'],
    ['spiffe://spiffe/spiffe', 'spiffe', '/spiffe'],
  ])('%j is read and prints as it was written', (text, name, path) => {
    const id = SpiffeId.parse(text);
    expect(id.trustDomain.name).toBe(name);
    expect(id.path).toBe(path);
    expect(String(id)).toBe(text);
    expect(JSON.stringify([id])).toBe(JSON.stringify([text]));
  });

  test('holds each allowed character in its path, and no other but the slash between segments', () => {
    const wrong: string[] = [];
    for (let code = 0; code < 1500; code += 1) {
      const char = String.fromCharCode(code);
      for (const path of [`/${char}b`, `/a${char}b`, `/a${char}`, `/x/a${char}b/y`]) {
        const allowed = ALLOWED.includes(char) || (char === '/' && /^(\/[^/]+)+$/.test(path));
        if (isSpiffeId(`spiffe://example.org${path}`) !== allowed) wrong.push(path);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['is empty', '', 'must begin with "spiffe://"'],
    ['has another scheme', 'https://example.org/api', 'must begin with "spiffe://"'],
    ['has its scheme in capitals, which are not folded', 'SPIFFE://example.org/api', 'must begin with "spiffe://"'],
    ['has a space before it', ' spiffe://example.org/api', 'must begin with "spiffe://"'],
    ['lacks a slash of its scheme', 'spiffe:/example.org/api', 'must begin with "spiffe://"'],
    ['ends with a slash', 'spiffe://example.org/api/', 'trailing slash'],
    ['is a trust domain and a slash', 'spiffe://example.org/', 'trailing slash'],
    ['has an empty segment', 'spiffe://example.org/a//b', 'empty path segment'],
    ['has a segment of one dot', 'spiffe://example.org/./api', '"." or ".."'],
    ['has a segment of two dots', 'spiffe://example.org/a/../b', '"." or ".."'],
    ['ends with a segment of two dots', 'spiffe://example.org/a/..', '"." or ".."'],
    ['has a query', 'spiffe://example.org/api?x=1', 'not "?"'],
    ['has a fragment', 'spiffe://example.org/api#x', 'not "#"'],
    ['has percent encoding', 'spiffe://example.org/%61pi', 'not "%"'],
    ['has a space in its path', 'spiffe://example.org/a b', 'not " "'],
    ['has a line break at its end', 'spiffe://example.org/api\n', 'not "\\n"'],
    ['has a letter beyond 16 bits', 'spiffe://example.org/\u{1d41a}', 'not "\u{1d41a}"'],
  ])('that %s is refused', async (_, text, said) => {
    const error = await refusal(() => SpiffeId.parse(text));
    expect(error.code).toBe('spiffe_id_invalid');
    expect(error.message).toContain(said);
  });

  test.each([
    ['no trust domain', 'spiffe://'],
    ['no trust domain but a path', 'spiffe:///api'],
    ['a trust domain in capitals', 'spiffe://Example.org/api'],
    ['a user', 'spiffe://user@example.org/api'],
    ['a port', 'spiffe://example.org:443/api'],
    ['an empty port', 'spiffe://example.org:/api'],
    ['an IPv6 address', 'spiffe://[::1]/api'],
    ['a query and no path', 'spiffe://example.org?x'],
    ['a fragment and no path', 'spiffe://example.org#x'],
    ['a trust domain of 256 characters', `spiffe://${'x'.repeat(256)}/api`],
  ])('that has %s is refused for its trust domain', async (_, text) => {
    expect(await refusalCode(() => SpiffeId.parse(text))).toBe('trust_domain_invalid');
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
    const error = await refusal(() => SpiffeId.parse('/'.repeat(10_000_000)));
    expect(error.message).toBe('the SPIFFE ID is longer than 2048 bytes');
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
