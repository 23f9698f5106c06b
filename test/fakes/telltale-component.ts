import { assemble, MEMORY } from '../support/assemble.ts';

/**
 * A component that fails with its secrets: its own error is its token, or its secret access key, or it traps with its token
 * in memory.
 *
 * The host's answer lies in its memory from 64 on, as the canonical ABI has it: the token's pointer and length at 72, those
 * of the secret access key, the second text of a record that begins at 80, at 88.
 */
export function telltale(): Promise<Uint8Array> {
  return assemble(
    `(module
      (import "wasmcloud:identity/store@0.0.1" "get" (func $identity (param i32 i32 i32)))
      (import "svidx:credentials/store@0.1.0" "get" (func $credentials (param i32 i32 i32)))
      ${MEMORY}
      (func $fail-with (param $text i32) (result i32)
        (i32.store8 (i32.const 256) (i32.const 1))
        (i64.store align=4 (i32.const 260) (i64.load align=4 (local.get $text)))
        (i32.const 256))
      (func (export "token-as-error") (param i32 i32) (result i32)
        (call $identity (local.get 0) (local.get 1) (i32.const 64))
        (call $fail-with (i32.const 72)))
      (func (export "secret-key-as-error") (param i32 i32) (result i32)
        (call $credentials (local.get 0) (local.get 1) (i32.const 64))
        (call $fail-with (i32.const 88)))
      (func (export "token-then-trap") (param i32 i32)
        (call $identity (local.get 0) (local.get 1) (i32.const 64))
        unreachable))`,
    `package test:telltale;
    world telltale {
      import wasmcloud:identity/store@0.0.1;
      import svidx:credentials/store@0.1.0;
      export token-as-error: func(audience: string) -> result<string, string>;
      export secret-key-as-error: func(grant: string) -> result<string, string>;
      export token-then-trap: func(audience: string);
    }`,
  );
}
