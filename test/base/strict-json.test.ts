import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from '../../src/base/strict-json.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('strict JSON', () => {
  test.each([
    ['null', null],
    ['0', 0],
    ['""', ''],
    ['{}', {}],
    ['[]', []],
    ['{"":1}', { '': 1 }],
    [' { "a" : [ { "a" : 1 } , { "a" : 2 } ] , "b" : { "a" : "a" } } ', { a: [{ a: 1 }, { a: 2 }], b: { a: 'a' } }],
    ['["a","a","a"]', ['a', 'a', 'a']],
    ['{"a":"a","b":"a"}', { a: 'a', b: 'a' }],
    ['{"a":["b","b"],"b":{"b":"b"}}', { a: ['b', 'b'], b: { b: 'b' } }],
    ['{"a":"{\\"a\\":1,\\"a\\":2}"}', { a: '{"a":1,"a":2}' }],
    ['{"a\\\\":1,"a":"\\\\","b":"\\\\\\""}', { 'a\\': 1, a: '\\', b: '\\"' }],
    ['{"a":1,"A":2,"\u00e9":3,"e\u0301":4}', { a: 1, A: 2, '\u00e9': 3, 'e\u0301': 4 }],
  ])('reads %s as JSON does, from text and from bytes', (text, value) => {
    expect(parseStrictJson(text)).toEqual(value);
    expect(parseStrictJson(bytes(text))).toEqual(value);
  });

  test.each([
    ['one object', '{"a":1,"a":1}'],
    ['one object, apart', '{"a":1,"b":[{"c":"a"}],"a":2}'],
    ['an object in an object', '{"a":{"b":1,"b":2}}'],
    ['an object in a list', '[[{"b":1},{"b":1,"b":1}]]'],
    ['an object after an object', '{"a":{},"a":{}}'],
    ['an object after a list', '{"a":[1,2],"a":3}'],
    ['two spellings', '{"a":1,"\\u0061":2}'],
    ['two spellings of a letter beyond 16 bits', '{"\u{1f511}":1,"\\ud83d\\udd11":2}'],
    ['an empty name', '{"":1,"":2}'],
    ['the name __proto__', '{"__proto__":1,"__proto__":2}'],
    ['white space between', '{ "a" : 1 , "a" : 2 }'],
  ])('refuses a name that stands twice: %s', (_, text) => {
    expect(JSON.parse(text)).toBeTypeOf('object');
    expect(parseStrictJson(text)).toBeUndefined();
    expect(parseStrictJson(bytes(text))).toBeUndefined();
  });

  test.each(['', ' ', '{', '{"a":1,}', "{'a':1}", '\ufeff{}', '{}{}', 'undefined', 'NaN'])('refuses %j', (text) => {
    expect(parseStrictJson(text)).toBeUndefined();
  });

  test('refuses bytes that are not UTF-8', () => {
    expect(parseStrictJson(new Uint8Array([0x22, 0xff, 0x22]))).toBeUndefined();
  });

  test.each([
    ['lists', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('reads %s 64 deep, and no deeper', (_, before, after) => {
    const nested = (depth: number): string => before.repeat(depth) + (before === '[' ? '' : '1') + after.repeat(depth);
    expect(parseStrictJson(nested(64))).toBeDefined();
    expect(parseStrictJson(nested(65))).toBeUndefined();
    expect(parseStrictJson(nested(1_000_000))).toBeUndefined();
    expect(parseStrictJson(`[${Array(1000).fill(nested(63)).join()}]`)).toBeDefined();
  });

  test('reads whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value, null, 1);
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('reads an object of any two names exactly when they differ', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.jsonValue(), (left, right, value) => {
        const text = `{${JSON.stringify(left)}:${JSON.stringify(value)},${JSON.stringify(right)}:1}`;
        expect(parseStrictJson(text) === undefined).toBe(left === right);
      }),
    );
  });

  test('reads a long text without a stack overflow', () => {
    const long = { a: 'x'.repeat(5_000_000), b: '\\"'.repeat(1_000_000) };
    expect(parseStrictJson(JSON.stringify(long))).toEqual(long);
  });
});
