import { describe, expect, test } from 'vitest';
import { compileComponent } from '../../src/component/compile.ts';
import { javaScriptName, withoutVersion } from '../../src/component/names.ts';
import { assemble } from '../support/assemble.ts';

/** Words of WIT, joined by hyphens (component model, WIT.md, "Identifiers"). */
const NAMES = [
  ['get', 'get'],
  ['list-keys', 'listKeys'],
  ['a-b-c', 'aBC'],
  ['a', 'a'],
  ['a1b2', 'a1b2'],
  ['x-y2-z33', 'xY2Z33'],
  ['get-2fa', 'get2fa'],
  ['v2-0', 'v20'],
  ['credentials-for', 'credentialsFor'],
  ['to-string', 'toString'],
] as const;

describe('the JavaScript name', () => {
  test.each(NAMES)('of %s is %s', (wit, javaScript) => {
    expect(javaScriptName(wit)).toBe(javaScript);
  });

  test('is the one that jco gives to each of them', async () => {
    const functions = NAMES.map(([wit]) => `(func (export "${wit}"))`).join('');
    const exports = NAMES.map(([wit]) => `export %${wit}: func();`).join(' ');
    const component = await assemble(`(module ${functions})`, `package test:names; world names { ${exports} }`);
    const { source, functions: found } = await compileComponent(component, { memoryBytes: 2 ** 24 });
    // What is found is what its JavaScript name leads to.
    expect(found.toSorted()).toEqual(NAMES.map(([wit]) => wit).toSorted());
    for (const [, javaScript] of NAMES) expect(source).toMatch(new RegExp(`\\b${javaScript}\\b`));
  });

  test('of no two of them is the same', () => {
    expect(new Set(NAMES.map(([wit]) => javaScriptName(wit))).size).toBe(NAMES.length);
  });
});

describe('an interface without its version', () => {
  test.each([
    ['wasmcloud:identity/store@0.0.1', 'wasmcloud:identity/store'],
    ['svidx:credentials/store@0.1.0', 'svidx:credentials/store'],
    ['wasi:io/error@0.2.0-rc-2023-11-10', 'wasi:io/error'],
    ['wasi:io/error@1.0.0+build.5', 'wasi:io/error'],
    ['wasi:io/error', 'wasi:io/error'],
    ['', ''],
  ])('%j is %j', (name, expected) => {
    expect(withoutVersion(name)).toBe(expected);
  });

  test('is no other interface', () => {
    const others = ['wasmcloud:identity/store2@0.0.1', 'wasmcloud:identity/stor@0.0.1', 'other:identity/store@0.0.1'];
    for (const other of others) expect(withoutVersion(other)).not.toBe('wasmcloud:identity/store');
  });
});
