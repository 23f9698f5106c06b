import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonMembers } from '../../src/base/json-members.ts';

function duplicates(text: string): string[] {
  return [...jsonMembers(text)].filter(({ isDuplicate }) => isDuplicate).map(({ name }) => name);
}

describe('members of JSON', () => {
  test('are found in every object, with their depth and their value', () => {
    const text = '{"a" : 12, "b":[{"c":"x{\\"d\\":1"}, "e"], "f\\u0041":{}}';
    expect(
      [...jsonMembers(text)].map(({ depth, name, valueAt }) => [depth, name, text.slice(valueAt, valueAt + 2)]),
    ).toEqual([
      [1, 'a', '12'],
      [1, 'b', '[{'],
      [3, 'c', '"x'],
      [1, 'fA', '{}'],
    ]);
  });

  test.each([
    ['{"a":1,"a":2}', ['a']],
    ['{"a":1,"\\u0061":2}', ['a']],
    ['{"a":{"b":1,"b":2},"a":{}}', ['b', 'a']],
    ['[{"a":1},{"a":2}]', []],
    ['{"a":{"a":{"a":1}}}', []],
    ['{"a":"a","b":["a","a"]}', []],
    ['{"__proto__":1,"__proto__":2}', ['__proto__']],
    ['{"":1,"":2}', ['']],
    ['"a"', []],
    ['[]', []],
    ['{"a\\\\":1,"a\\"":2,"a":3}', []],
  ])('%s holds twice: %j', (text, expected) => {
    expect(duplicates(text)).toEqual(expected);
  });

  test('of whatever JSON.stringify writes are those that are there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const names: string[] = [];
        JSON.parse(text, function (this: unknown, key, inner) {
          if (!Array.isArray(this)) names.push(key);
          return inner;
        });
        // JSON.parse visits the document itself too, under the name "".
        names.splice(names.lastIndexOf(''), 1);
        expect([...jsonMembers(text)].map(({ name }) => name).sort()).toEqual(names.sort());
        expect(duplicates(text)).toEqual([]);
      }),
    );
  });
});
