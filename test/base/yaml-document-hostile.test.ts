import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseYamlDocument } from '../../src/base/yaml-document.ts';
import { anyText } from '../support/any-text.ts';
import { refusal } from '../support/errors.ts';

/** Takes whatever is a plain value, so that what is refused is refused before the schema. */
function parse(text: string, schema: z.ZodType = z.unknown()): unknown {
  return parseYamlDocument({ file: 'f', text, errorCode: 'policy_invalid' }, schema).value;
}

async function problems(text: string, schema?: z.ZodType): Promise<string[]> {
  const error = await refusal(() => parse(text, schema));
  expect(error.code).toBe('policy_invalid');
  return error.message.split('\n');
}

describe('a file is refused', () => {
  test.each([
    ['nothing', '', 'f:1: the file is empty'],
    ['white space', ' \n\n', 'f:1: the file is empty'],
    ['a comment', '# nothing\n', 'f:1: the file is empty'],
    ['two documents', 'a: 1\n---\nb: 2\n', 'f:2: expected one YAML document, not several'],
    ['two documents, the second empty', 'a: 1\n---\n', 'f:2: expected one YAML document, not several'],
    ['something after its end', 'a: 1\n...\nb: 2\n', 'f:3: expected one YAML document, not several'],
    ['an older version', '# old\n%YAML 1.1\n---\na: yes\n', 'f:2: expected YAML 1.2'],
    ['a newer version', '%YAML 1.9\n---\na: 1\n', 'f:1: Unsupported YAML version 1.9'],
    ['an unknown tag', 'a: 1\nb: !secret x\n', 'f:2: Unresolved tag: !secret'],
  ])('that holds %s', async (_, text, expected) => {
    expect(await problems(text)).toEqual([expected]);
  });

  test.each([
    ['a tab as indentation', 'a:\n\tb: 1\n', /^f:2: Tabs are not allowed/],
    ['an open list', 'a: [1, 2\nb: 3\n', /^f:2: Flow sequence/],
    ['an open quote', 'a: 1\nb: "x\n', /^f:\d: Missing closing "quote/],
    ['two colons', 'a: 1\nb: c: d\n', /^f:2: Nested mappings/],
    ['a reserved character', 'a: 1\nb: @x\n', /^f:2: Plain value cannot start/],
    ['an unknown escape', 'a: "\\q"\n', /^f:1: Invalid escape/],
    ['broken indentation', 'a:\n    b: 1\n  c: 2\n', /^f:3: /],
    ['old Mac line ends', 'a: 1\rb: 2\r', /^f:1: /],
    ['a list as a key', 'a: 1\n? [b]\n: 2\n', /^f:2: With stringKeys, all keys must be strings/],
    ['a map as a key', 'a:\n  ? { x: 1 }\n  : b\n', /^f:2: With stringKeys/],
    ['an alias as a key', 'a: &k __proto__\nb:\n  *k : { evil: 1 }\n', /^f:3: With stringKeys/],
  ])('that has %s', async (_, text, expected) => {
    expect((await problems(text))[0]).toMatch(expected);
  });

  test.each([
    ['plainly', 'a: 1\nb: 2\na: 3\n', 'f:3: a: this key is written twice'],
    ['once in quotes', 'a: 1\n"a": 2\n', 'f:2: a: this key is written twice'],
    ['once with an escape', 'a: 1\n"\\x61": 2\n', 'f:2: a: this key is written twice'],
    ['once with an anchor', 'a: 1\n&x a: 2\n', 'f:2: a: this key is written twice'],
    ['in a map on one line', 'm: {a: 1, a: 2}\n', 'f:1: a: this key is written twice'],
    ['with a space in it', 'm:\n  "a b": 1\n  "a b": 2\n', 'f:3: ["a b"]: this key is written twice'],
    ['in a list', '- {a: 1}\n- a: 1\n  a: 2\n', 'f:3: a: this key is written twice'],
    ['as a number', '1: a\n"1": b\n', 'f:2: 1: this key is written twice'],
  ])('that has a key twice, %s', async (_, text, expected) => {
    expect(await problems(text)).toEqual([expected]);
  });

  test.each([
    ['at the top', 'a: 1\n__proto__: {polluted: true}\n', 'f:2: __proto__: unknown key'],
    ['inside', 'a:\n  - {"__proto__": {polluted: true}}\n', 'f:2: __proto__: unknown key'],
    ['with an escape', 'a: {"\\x5f_proto__": {polluted: true}}\n', 'f:1: __proto__: unknown key'],
  ])('that has a key __proto__ %s', async (_, text, expected) => {
    expect(await problems(text)).toEqual([expected]);
    expect('polluted' in {}).toBe(false);
  });

  test('but not for merge keys, which are keys like others', async () => {
    expect(parse('a: &a {x: 1}\nb: {<<: *a}\n')).toEqual({ a: { x: 1 }, b: { '<<': { x: 1 } } });
  });
});

describe('an alias', () => {
  test('may stand for what comes before it', () => {
    expect(parse('a: &x [1]\nb: *x\nc: *x\n')).toEqual({ a: [1], b: [1], c: [1] });
  });

  test.each([
    ['nothing', 'a: 1\nb: *x\n', 'f:2: *x: there is no anchor of this name before it'],
    ['what comes after it', 'b: *x\na: &x 1\n', 'f:1: *x: there is no anchor of this name before it'],
    ['the list it is in', 'a: &x\n  - *x\n', 'f:2: *x: is a part of what it stands for'],
    ['the map it is in', 'a: &x\n  b:\n    c: *x\n', 'f:3: *x: is a part of what it stands for'],
  ])('may not stand for %s', async (_, text, expected) => {
    expect(await problems(text)).toEqual([expected]);
  });

  test('may be there a hundred times', async () => {
    const aliases = (count: number): string => `- &x 1\n${'- *x\n'.repeat(count)}`;
    expect(parse(aliases(100))).toHaveLength(101);
    expect(await problems(aliases(101))).toEqual(['f:102: too many YAML aliases']);
    expect(await problems(aliases(10_000))).toEqual(['f:102: too many YAML aliases']);
  });

  test('may not multiply: a few lines that mean a billion entries are refused at once', async () => {
    const ten = (entry: string): string => `[${Array(10).fill(entry).join(', ')}]`;
    const lines = Array.from({ length: 9 }, (_, level) => `- &l${level} ${ten(level === 0 ? 'x' : `*l${level - 1}`)}`);
    expect(await problems(lines.join('\n'))).toEqual(['f:1: too many YAML aliases']);
  });
});

describe('a file without measure', () => {
  test.each([
    ['lists on one line', '['.repeat(100_000)],
    ['lists that are closed', `a: ${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['lists, not very deep', `a: ${'['.repeat(200)}${']'.repeat(200)}`],
    ['maps on one line', '{a: '.repeat(50_000)],
    ['maps, not very deep', `${'{a: '.repeat(60)}1${'}'.repeat(60)}`],
    ['lists of lists', `${'- '.repeat(50_000)}x`],
    ['maps of maps', Array.from({ length: 700 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('')],
  ])('is refused and does not overflow the stack: %s', async (_, text) => {
    expect((await problems(text))[0]).toMatch(/^f:\d+: is nested too deeply$/);
  });

  test('may be as deep as any real one', () => {
    expect(() => parse(`${'{a: '.repeat(45)}1${'}'.repeat(45)}`)).not.toThrow();
  });

  test.each([
    ['repeated keys', 'a: 1\n'.repeat(20_000)],
    ['closing brackets', ']'.repeat(20_000)],
    ['unknown tags', '- !x y\n'.repeat(5000)],
  ])('has its first twenty problems told, and that there are more: %s', async (_, text) => {
    const told = await problems(text);
    expect(told).toHaveLength(21);
    expect(told.at(-1)).toBe('f: and more');
  });

  test('has its first twenty problems told also where the schema finds them', async () => {
    const text = Array.from({ length: 5000 }, (_, index) => `key${index}: 1\n`).join('');
    const told = await problems(text, z.strictObject({}));
    expect(told.slice(0, 2)).toEqual(['f:1: key0: unknown key', 'f:2: key1: unknown key']);
    expect(told).toHaveLength(21);
  });

  test('of 60,000 different keys is read, in a time that does not grow with their square', () => {
    const text = Array.from({ length: 60_000 }, (_, index) => `key${index}: 1\n`).join('');
    expect(Object.keys(Object(parse(text)))).toHaveLength(60_000);
  });
});

describe('what a file holds is no danger to who reads the message', () => {
  test.each([
    ['a line break', '"a\\nf:1: name: fine": 1\n', 'f:1: ["a\\nf:1: name: fine"]: unknown key'],
    ['an escape sequence', '"\\e[31mred": 1\n', 'f:1: ["\\u001b[31mred"]: unknown key'],
    ['another escape sequence', '"\\x9b31mred": 1\n', 'f:1: [" 31mred"]: unknown key'],
    ['a NUL', '"\\0": 1\n', 'f:1: ["\\u0000"]: unknown key'],
  ])('where a key holds %s', async (_, text, expected) => {
    expect(await problems(text, z.strictObject({}))).toEqual([expected]);
  });

  test('where the parser quotes it', async () => {
    const told = await problems('a: "\\\u001b[31m"\n');
    expect(told.join()).not.toMatch(/\p{Cc}/u);
  });
});

test('whatever a file holds, it is a plain value or a refusal with file and line', async () => {
  const yaml = fc.array(
    fc.constantFrom(
      'a',
      'b',
      ':',
      ' ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '"',
      "'",
      '|',
      '>',
      '#',
      '!',
      '%',
      '? ',
      '<<',
      '---',
      '\t',
      '\r',
      ',',
      '1',
      '~',
    ),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        anyText(),
        yaml.map((parts) => parts.join('')),
      ),
      async (text) => {
        try {
          JSON.stringify(parse(text));
        } catch {
          for (const line of await problems(text)) expect(line).toMatch(/^f(:\d+: .|: and more$)/);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
