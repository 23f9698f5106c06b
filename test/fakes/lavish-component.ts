import { assemble, MEMORY } from '../support/assemble.ts';

/**
 * Gives more than anybody wants: a list of so many bytes, and lists that name the same MiB so many times. They lie in its memory
 * from 1 MiB on, as the canonical ABI has it: pointer and length.
 */
export function lavish(): Promise<Uint8Array> {
  return assemble(
    `(module
      ${MEMORY}
      (func $list (param $at i32) (param $length i32) (result i32)
        (i32.store (i32.const 64) (local.get $at))
        (i32.store (i32.const 68) (local.get $length))
        (i32.const 64))
      (func (export "bytes") (param $length i32) (result i32)
        (call $list
          (call $alloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $length)) (local.get $length)))
      (func $same (export "same-texts") (export "same-lists") (param $times i32) (result i32)
        (local $text i32) (local $at i32) (local $index i32)
        (local.set $text (call $alloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1048576)))
        (memory.fill (local.get $text) (i32.const 97) (i32.const 1048576))
        (local.set $at (call $alloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.mul (local.get $times) (i32.const 8))))
        (loop $more
          (i32.store
            (i32.add (local.get $at) (i32.mul (local.get $index) (i32.const 8))) (local.get $text))
          (i32.store offset=4
            (i32.add (local.get $at) (i32.mul (local.get $index) (i32.const 8))) (i32.const 1048576))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $index) (local.get $times))))
        (call $list (local.get $at) (local.get $times)))
      (func (export "refuse") (param $times i32) (result i32)
        (i64.store (i32.const 76) (i64.load (call $same (local.get $times))))
        (i32.store8 (i32.const 72) (i32.const 1))
        (i32.const 72)))`,
    `package test:lavish;
    world lavish {
      export bytes: func(length: u32) -> list<u8>;
      export same-texts: func(times: u32) -> list<string>;
      export same-lists: func(times: u32) -> list<list<u8>>;
      export refuse: func(times: u32) -> result<_, list<string>>;
    }`,
  );
}
