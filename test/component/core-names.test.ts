import { describe, expect, test } from 'vitest';
import { checkCoreNames } from '../../src/component/core-names.ts';
import { assembleText } from '../support/assemble.ts';
import { startHost } from '../support/components.ts';
import { refusal } from '../support/errors.ts';
import { thrown } from '../support/thrown.ts';

/** Components with a function `f` that gives 7, and with a name that is free in WebAssembly: quotes are to be escaped by `\22`. */
const PLACES: Readonly<Record<string, (name: string) => string>> = {
  'an export': (name) => `(component
    (core module $m (func (export "${name}") (result i32) (i32.const 7)))
    (core instance $i (instantiate $m))
    (func (export "f") (result u32) (canon lift (core func $i "${name}"))))`,
  'an import': (name) => `(component
    (core module $a (func (export "x") (result i32) (i32.const 7)))
    (core module $m (import "a" "${name}" (func $g (result i32))) (func (export "f") (result i32) (call $g)))
    (core instance $ai (instantiate $a))
    (core instance $i (instantiate $m (with "a" (instance (export "${name}" (func $ai "x"))))))
    (func (export "f") (result u32) (canon lift (core func $i "f"))))`,
  'a module that is imported from': (name) => `(component
    (core module $a (func (export "x") (result i32) (i32.const 7)))
    (core module $m (import "${name}" "b" (func $g (result i32))) (func (export "f") (result i32) (call $g)))
    (core instance $ai (instantiate $a))
    (core instance $i (instantiate $m (with "${name}" (instance (export "b" (func $ai "x"))))))
    (func (export "f") (result u32) (canon lift (core func $i "f"))))`,
};

describe.each(Object.entries(PLACES))('the name of %s', (_, component) => {
  test.each([
    ['that goes on as JavaScript', `x'];while(true);['`],
    ['that names a property as JavaScript', `x':0},b:{...[while(true);]},'`],
    ['with a quote', `it's`],
    ['with a double quote', '\\22'],
    ['with an escape', '\\5c'],
    ['with a line end', 'a\\0ab'],
    ['with a carriage return', 'a\\0db'],
    ['with a line separator', 'a\\e2\\80\\a8b'],
    ['that begins a template', '`$'],
    ['with a brace', 'a{b}'],
    ['that ends a comment', 'a*/b'],
    ['that is an asterisk, which jco takes for all of it', '*'],
  ])('%s is refused before anything of it runs', async (_, name) => {
    const error = await refusal(startHost().load('names', await assembleText(component(name))));
    expect(error.code).toBe('component_invalid');
    expect(error.detail).toContain('a core module has a name that this host does not take');
  });

  test.each([
    'f',
    '__proto__',
    'constructor',
    'wasi:http/incoming-handler@0.2.12#handle',
    '[method]fields.append',
    '$root',
    'foo::bar<T>(a, b)',
  ])('%j is one', async (name) => {
    const loaded = await startHost().load('names', await assembleText(component(name)));
    expect(await loaded.call('f', [])).toEqual({ ok: 7 });
  });
});

test.each([
  `(module (func (export "fine")) (memory (export "'") 1))`,
  `(module (func (export "fine")) (global (export "'") i32 (i32.const 0)))`,
  `(module (import "a" "'" (memory 1)) (func (export "fine")))`,
  `(module (import "'" "a" (global i32)) (func (export "fine")))`,
])('every import and export is looked at, whatever it is: %s', async (text) => {
  const module = await WebAssembly.compile(await assembleText(text));
  expect(thrown(() => checkCoreNames(module))).toMatchObject({ code: 'component_invalid' });
});
