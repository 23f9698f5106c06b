import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { inBraces } from '../../examples/wasi-wit.ts';

/**
 * Makes a component of a core module in WebAssembly text and a world in WIT. The packages in `wit/` are there for the world
 * to import.
 * @param wat the core module; it exports the world's functions under their WIT names, in the canonical ABI
 * @param wit `package ...; world ... { ... }`, with further packages in braces
 */
export async function assemble(wat: string, wit: string): Promise<Uint8Array> {
  const witSource = [wit, ...(await ownPackages())].join('\n');
  return componentNew(await componentEmbed({ binary: await parse(wat), witSource }));
}

/** A component, or a core module, in text form. */
export function assembleText(wat: string): Promise<Uint8Array> {
  return parse(wat);
}

const OWN_PACKAGES = [
  'wasmcloud-identity-0.0.1/identity.wit',
  'svidx-credentials-0.1.0/credentials.wit',
  'wasi-config-0.2.0-rc.1/config.wit',
];

/** The packages of `wit/`, each in braces, as WIT has it for several in one text. */
function ownPackages(): Promise<string[]> {
  return Promise.all(
    OWN_PACKAGES.map(async (path) => inBraces(await readFile(new URL(`../../wit/${path}`, import.meta.url), 'utf8'))),
  );
}

/** What every core module needs whose functions take or give texts: a memory, and an allocator that never frees. */
export const MEMORY = `
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 4096))
  (func $alloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at
      (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (loop $more
        (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
        (br $more)))
    (local.get $at))`;
