import { wasiPackages } from '../../examples/wasi-wit.ts';
import { assemble, MEMORY } from '../support/assemble.ts';

/**
 * A command that writes its name and its first argument to stdout and its second to stderr, and ends as the first letter of
 * the third says: well, badly, by exit with a code of 7, or by a trap.
 */
export async function talkingCommand(): Promise<Uint8Array> {
  return assemble(
    `(module
      (import "wasi:cli/environment@0.2.12" "get-arguments" (func $arguments (param i32)))
      (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
      (import "wasi:cli/stderr@0.2.12" "get-stderr" (func $stderr (result i32)))
      (import "wasi:cli/exit@0.2.12" "exit-with-code" (func $exit (param i32)))
      (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
      ${MEMORY}
      (func (export "wasi:cli/run@0.2.12#run") (result i32)
        (local $at i32) (local $letter i32)
        (call $arguments (i32.const 64))
        (local.set $at (i32.load (i32.const 64)))
        (call $write (call $stdout) (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)) (i32.const 64))
        (call $write (call $stdout)
          (i32.load offset=8 (local.get $at)) (i32.load offset=12 (local.get $at)) (i32.const 64))
        (call $write (call $stderr)
          (i32.load offset=16 (local.get $at)) (i32.load offset=20 (local.get $at)) (i32.const 64))
        (local.set $letter (i32.load8_u (i32.load offset=24 (local.get $at))))
        (if (i32.eq (local.get $letter) (i32.const 101)) (then (call $exit (i32.const 7))))
        (if (i32.eq (local.get $letter) (i32.const 116)) (then unreachable))
        (i32.eq (local.get $letter) (i32.const 98))))`,
    `package test:talking;
    world talking {
      import wasi:cli/environment@0.2.12;
      import wasi:cli/stdout@0.2.12;
      import wasi:cli/stderr@0.2.12;
      import wasi:cli/exit@0.2.12;
      import wasi:io/streams@0.2.12;
      export wasi:cli/run@0.2.12;
    }
    ${(await wasiPackages()).replace('@unstable(feature = cli-exit-with-code)', '')}`,
  );
}
