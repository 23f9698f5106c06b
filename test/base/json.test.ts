import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isJsonObject, parseJson } from '../../src/base/json.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('JSON', () => {
  test.each(['null', 'true', '0', '""', '[]', '{}', ' {"a" : [1, "\u00e9\u{1f511}"]}\r\n'])(
    '%j is read from text and from bytes',
    (text) => {
      expect(parseJson(text)).toEqual(JSON.parse(text));
      expect(parseJson(bytes(text))).toEqual(JSON.parse(text));
    },
  );

  test.each([
    '',
    ' ',
    'undefined',
    'NaN',
    "{'a':1}",
    '{a:1}',
    '[1,]',
    '{} {}',
    '01',
    '"\n"',
    '/**/{}',
    '\ufeff{}',
    '{}\0',
  ])('%j is not', (text) => {
    expect(parseJson(text)).toBeUndefined();
    expect(parseJson(bytes(text))).toBeUndefined();
  });

  test.each([
    ['an overlong slash', [0xc0, 0xaf]],
    ['a lone continuation', [0x80]],
    ['half a character', [0xe2, 0x82]],
    ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
    ['a character beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
    ['Latin-1', [0xe9]],
  ])('is not what is not UTF-8: %s', (_, inside) => {
    expect(parseJson(Buffer.from([0x22, ...inside, 0x22]))).toBeUndefined();
    expect(parseJson(Buffer.from([0x22, 0x61, 0x22]))).toBe('a');
  });

  test('is not UTF-16', () => {
    expect(parseJson(Buffer.from('{}', 'utf16le'))).toBeUndefined();
  });

  test('nested without end is read or not, without harm', () => {
    expect(parseJson('['.repeat(1_000_000))).toBeUndefined();
    expect(Array.isArray(parseJson('['.repeat(1_000_000) + ']'.repeat(1_000_000)))).toBe(true);
  });

  test('does not touch prototypes', () => {
    const value = parseJson('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect('polluted' in {}).toBe(false);
  });

  test('comes back as it was, whatever the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseJson(bytes(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('a JSON object', () => {
  test.each([{}, { a: 1 }, JSON.parse('{"__proto__":1}'), Object.create(null)])('is %j', (value) => {
    expect(isJsonObject(value)).toBe(true);
  });

  test.each([null, undefined, [], [{}], 'text', 0, true, 1n, Symbol('s')])('is not %s', (value) => {
    expect(isJsonObject(value)).toBe(false);
  });
});
