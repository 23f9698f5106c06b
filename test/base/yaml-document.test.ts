import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ErrorCode } from '../../src/base/errors.ts';
import { parseYamlDocument } from '../../src/base/yaml-document.ts';
import { refusal } from '../support/errors.ts';

const schema = z.strictObject({
  name: z.string().min(1, 'expected a name'),
  size: z.int().max(10, 'expected at most 10').default(1),
  tags: z.array(z.string()).optional(),
  by: z.record(z.string().regex(/^[a-z]+$/, 'expected small letters'), z.strictObject({ id: z.number() })).optional(),
});

function parse(text: string, errorCode: ErrorCode = 'config_invalid') {
  return parseYamlDocument({ file: 'a/b.yaml', text, errorCode }, schema);
}

/** The lines of the refusal's message. */
async function problems(text: string): Promise<string[]> {
  const error = await refusal(() => parse(text));
  expect(error.code).toBe('config_invalid');
  return error.message.split('\n');
}

describe('a document', () => {
  test('is the value that the schema makes of it', () => {
    expect(parse('name: x\ntags: [a, "b", c d]\nby: { z: { id: 1 } }\n').value).toEqual({
      name: 'x',
      size: 1,
      tags: ['a', 'b', 'c d'],
      by: { z: { id: 1 } },
    });
  });

  test.each([
    ['a comment before and after', '# first\nname: x # and here\n# last'],
    ['a start and an end', '---\nname: x\n...\n'],
    ['the directive of this version', '%YAML 1.2\n---\nname: x\n'],
    ['no line break at the end', 'name: x'],
    ['Windows line ends', 'name: x\r\nsize: 1\r\n'],
    ['a byte order mark', '\ufeffname: x\n'],
    ['JSON in place of YAML', '{"name": "x", "size": 1}'],
    ['a tab where no indentation is', 'name:\tx\t\n'],
    ['a quoted key', '"name": x'],
    ['an anchor and its alias', 'name: &n x\ntags: [*n]\n'],
    ['a tag of the standard', 'name: !!str x\n'],
  ])('may have %s', (_, text) => {
    expect(parse(text).value.name).toBe('x');
  });

  test.each([
    ['yes', 'yes'],
    ['no', 'no'],
    ['on', 'on'],
    ['010', 10],
    ['0o10', 8],
    ['1_000', '1_000'],
    ['12:30', '12:30'],
    ['2026-11-22', '2026-11-22'],
    ['~', null],
    ['true', true],
  ])('reads %s as YAML 1.2 does: %j', (written, value) => {
    const any = parseYamlDocument({ file: 'f', text: `name: ${written}`, errorCode: 'config_invalid' }, z.unknown());
    expect(any.value).toEqual({ name: value });
  });

  test.each(['constructor', 'toString', 'prototype', 'hasOwnProperty'])(
    'takes a member called %s for any other',
    (name) => {
      const loose = z.record(z.string(), z.number());
      expect(parseYamlDocument({ file: 'f', text: `${name}: 1`, errorCode: 'config_invalid' }, loose).value).toEqual(
        Object.fromEntries([[name, 1]]),
      );
    },
  );
});

describe('what is wrong is told with file, line and key', () => {
  test.each([
    ['a missing key', 'size: 1\n', ['a/b.yaml:1: name: is missing: expected string']],
    ['an unknown key', 'name: x\n\nnmae: y\n', ['a/b.yaml:3: nmae: unknown key']],
    ['two unknown keys', 'name: x\nb: 1\na: 2\n', ['a/b.yaml:2: b: unknown key', 'a/b.yaml:3: a: unknown key']],
    ['an unknown key inside', 'name: x\nby:\n  z:\n    id: 1\n    di: 2\n', ['a/b.yaml:5: by.z.di: unknown key']],
    ['a missing key inside', 'name: x\nby:\n  z: {}\n', ['a/b.yaml:3: by.z.id: is missing: expected number']],
    ['a wrong type', 'name: 7\n', ['a/b.yaml:1: name: expected string, received number']],
    ['nothing where something belongs', 'name:\n', ['a/b.yaml:1: name: expected string, received null']],
    ['a wrong value', 'name: x\n# eleven\nsize: 11\n', ['a/b.yaml:3: size: expected at most 10']],
    ['a wrong entry', 'name: x\ntags:\n  - a\n  - 2\n', ['a/b.yaml:4: tags[1]: expected string, received number']],
    ['a wrong name in a record', 'name: x\nby:\n  Z: { id: 1 }\n', ['a/b.yaml:3: by.Z: expected small letters']],
    ['a name with spaces', 'name: x\nby:\n  "a b": { id: 1 }\n', ['a/b.yaml:3: by["a b"]: expected small letters']],
    ['a name with a dot', 'name: x\na.b: 1\n', ['a/b.yaml:2: ["a.b"]: unknown key']],
    ['an empty name', 'name: x\n"": 1\n', ['a/b.yaml:2: [""]: unknown key']],
    [
      'several things',
      'size: 11\ntags: x\n',
      [
        'a/b.yaml:1: name: is missing: expected string',
        'a/b.yaml:1: size: expected at most 10',
        'a/b.yaml:2: tags: expected array, received string',
      ],
    ],
    ['a list in place of a map', '\n- name: x\n', ['a/b.yaml:2: expected object, received array']],
    ['a text in place of a map', 'name\n', ['a/b.yaml:1: expected object, received string']],
    [
      'an alias of something wrong',
      'name: x\ntags: &t [1]\n',
      ['a/b.yaml:2: tags[0]: expected string, received number'],
    ],
  ])('%s', async (_, text, expected) => {
    expect(await problems(text)).toEqual(expected);
  });

  test.each([
    ['Windows', '\r\n'],
    ['Unix', '\n'],
  ])('with the right line where lines end as on %s', async (_, end) => {
    expect(await problems(['# one', 'name: x', '', 'size: 11', 'extra: 1'].join(end))).toEqual([
      'a/b.yaml:4: size: expected at most 10',
      'a/b.yaml:5: extra: unknown key',
    ]);
  });

  test('with the code of whoever reads the file', async () => {
    const error = await refusal(() => parse('name: 1', 'policy_invalid'));
    expect(error.code).toBe('policy_invalid');
  });
});

describe('where a part stands', () => {
  const document = parse('# top\nname: x\ntags:\n  - a\n  - b\nby:\n  z:\n    id: 1\n');

  test.each([
    [[], 2],
    [['name'], 2],
    [['tags'], 3],
    [['tags', 0], 4],
    [['tags', 1], 5],
    [['tags', 7], 3],
    [['by', 'z'], 7],
    [['by', 'z', 'id'], 8],
    [['by', 'z', 'id', 'deeper'], 8],
    [['by', 'nobody', 'id'], 6],
    [['size'], 2],
    [['toString'], 2],
  ])('%j is in line %d, or the part around it that is there', (path, line) => {
    expect(document.locate(path)).toBe(`a/b.yaml:${line}`);
  });
});
