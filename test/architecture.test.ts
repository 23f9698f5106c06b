import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const SRC = join(import.meta.dirname, '../src');

/** The house from the ground up: a file may import from its own folder and from lower layers. */
const LAYERS: readonly (readonly string[])[] = [
  ['base'],
  ['spiffe', 'credentials'],
  ['policy'],
  ['identity', 'exchange', 'config'],
  ['broker'],
  ['component', 'http', 'workload-api'],
  ['.', 'commands', 'dev', 'doctor'],
];

/** Folders that do not know each other, whatever their layers. */
const STRANGERS = [
  ['policy', 'identity'],
  ['policy', 'exchange'],
  ['identity', 'exchange'],
];

interface SourceFile {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
}

const files: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, folder: topFolder(path), text: readFileSync(join(SRC, path), 'utf8') }));

/** Everything but comments, so that prose may name what code may not. */
const code = new Map(files.map(({ path, text }) => [path, text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')]));

function topFolder(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? '.') : '.';
}

function layerOf(folder: string): number {
  return LAYERS.findIndex((folders) => folders.includes(folder));
}

/** Every import with its target, dynamic ones included. */
const imports = files.flatMap((file) =>
  [...file.text.matchAll(/(?:from|import\()\s*'(\.[^']*)'/g)].map(([, specifier = '']) => ({
    file,
    target: relative(SRC, join(SRC, dirname(file.path), specifier)),
  })),
);

describe('layers', () => {
  test('there are files and imports to look at', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(100);
  });

  test('every folder has a layer', () => {
    expect([...new Set(files.map(({ folder }) => folder))].filter((folder) => layerOf(folder) === -1)).toEqual([]);
  });

  test('no file imports from a higher layer', () => {
    const upward = imports
      .filter(({ file, target }) => layerOf(topFolder(target)) > layerOf(file.folder))
      .map(({ file, target }) => `${file.path} -> ${target}`);
    expect(upward).toEqual([]);
  });

  test('policy, identity and exchange do not know each other', () => {
    const meetings = imports
      .filter(({ file, target }) =>
        STRANGERS.some(
          (pair) => pair.includes(file.folder) && pair.includes(topFolder(target)) && file.folder !== topFolder(target),
        ),
      )
      .map(({ file, target }) => `${file.path} -> ${target}`);
    expect(meetings).toEqual([]);
  });

  test('only service.ts, doctor and dev know the concrete sources and exchangers', () => {
    const concrete =
      /^(identity\/(delegated-identity|workload-api|bundle-endpoint|bundle-file)|exchange\/(aws|azure|gcp|vault|oauth|registry|upstream))/;
    const users = imports
      .filter(
        ({ file, target }) =>
          concrete.test(target) && !['identity', 'exchange', '.', 'dev', 'doctor'].includes(file.folder),
      )
      .map(({ file, target }) => `${file.path} -> ${target}`);
    expect(users).toEqual([]);
  });
});

describe('what no source file does', () => {
  const forbidden: readonly (readonly [string, RegExp, (path: string) => boolean])[] = [
    ['touch process', /\bprocess(\.[a-z]|\[)|node:process/, (path) => path !== 'main.ts'],
    ['use any', /(?<![\w'])any(?=\s*[;,)=>\]|])|as any\b/, () => true],
    ['cast through unknown', /as unknown as/, () => true],
    ['silence the compiler', /@ts-(ignore|expect-error|nocheck)/, () => true],
    ['print to the console', /\bconsole\./, () => true],
    ['use an enum', /^\s*(export )?(const )?enum\b/m, () => true],
    [
      'read the clock in layers 0 to 2',
      /Date\.now\(|new Date\(\)/,
      (path) => isLow(path) && !/base\/(clock|logger)/.test(path),
    ],
    [
      'do I/O in layers 0 to 2',
      /from 'node:(fs|net|http|https|dns|child_process)|\bfetch\(|\bsetTimeout\(/,
      (path) => isLow(path) && path !== 'base/clock.ts',
    ],
  ];

  test.each(forbidden)('%s', (_, pattern, applies) => {
    expect(
      files.filter(({ path }) => applies(path) && pattern.test(code.get(path) ?? '')).map(({ path }) => path),
    ).toEqual([]);
  });

  test('grow beyond 400 lines', () => {
    const tooLong = files.filter(({ text }) => text.split('\n').length > 400);
    expect(tooLong.map(({ path }) => path)).toEqual([]);
  });

  test('have a default export', () => {
    expect(files.filter(({ text }) => /^export default/m.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

function isLow(path: string): boolean {
  const layer = layerOf(topFolder(path));
  return layer <= 2;
}
