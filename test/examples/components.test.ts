import { readFile } from 'node:fs/promises';
import { componentWit } from '@bytecodealliance/jco-transpile/wasm-tools';
import { expect, inject, test } from 'vitest';
import { builtExample } from '../../examples/build-cache.ts';

/** The interfaces that a component imports, or exports, with their versions. */
async function interfacesOf(path: string, direction: 'import' | 'export'): Promise<string[]> {
  const wit = await componentWit(await readFile(path));
  return [...wit.matchAll(new RegExp(`^ {2}${direction} ([^;]+);`, 'gm'))].map(([, name = '']) => name);
}

test('the smallest component behind HTTP wants nothing but HTTP', async () => {
  const path = inject('helloHttpWasm');
  expect(await interfacesOf(path, 'export')).toEqual(['wasi:http/incoming-handler@0.2.12']);
  expect(await interfacesOf(path, 'import')).toEqual([
    'wasi:io/error@0.2.12',
    'wasi:io/streams@0.2.12',
    'wasi:http/types@0.2.12',
  ]);
});

test('wasmPay wants what its world says, and what its engine imports out of habit', async () => {
  const path = inject('wasmpayWasm');
  expect(await interfacesOf(path, 'export')).toEqual(['wasi:http/incoming-handler@0.2.12']);
  const imports = await interfacesOf(path, 'import');
  const habits =
    /^wasi:(cli\/(stdin|stdout|stderr|terminal-\w+)|clocks\/[\w-]+|filesystem\/\w+|io\/\w+|random\/random)@/;
  expect(imports.filter((name) => !habits.test(name))).toEqual([
    'wasmcloud:identity/store@0.0.1',
    'svidx:credentials/store@0.1.0',
    'wasi:config/store@0.2.0-rc.1',
    'wasi:http/types@0.2.12',
    'wasi:http/outgoing-handler@0.2.12',
  ]);
});

test('what has been built is not built again', async () => {
  expect(await builtExample('wasmpay')).toBe(inject('wasmpayWasm'));
});
