import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';

/**
 * A component of a few bytes with a function for each kind of result that `svidx run` has to print. It imports nothing.
 *
 * What `every-kind` returns lies in its memory from 64 on, as the canonical ABI has it: pointer and length of three lists
 * of the bytes at 16, a number of 64 bits, an option and a result, both without a value.
 */
const TEXT = `(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 16) "\\01\\02\\03\\04\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff")
    (data (i32.const 64) "\\10\\00\\00\\00\\04\\00\\00\\00" "\\10\\00\\00\\00\\02\\00\\00\\00" "\\10\\00\\00\\00\\01\\00\\00\\00")
    (data (i32.const 88) "\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff" "\\00\\00\\00\\00\\00\\00\\00\\00" "\\00")
    (func (export "run"))
    (func (export "every-kind") (result i32) (i32.const 64))
    (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
    (func (export "bad") (result i32) (i32.const 1))
    (func (export "trap") unreachable)
    (func (export "for-ever") (loop (br 0)))
  )
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (func (export "run") (canon lift (core func $i "run")))
  (func (export "every-kind")
    (result (tuple (list u8) (list u16) (list u64) u64 (option u32) (result)))
    (canon lift (core func $i "every-kind") (memory $memory)))
  (func (export "add") (param "a" s64) (param "b" s64) (result s64) (canon lift (core func $i "add")))
  (func (export "bad") (result (result)) (canon lift (core func $i "bad")))
  (func (export "trap") (canon lift (core func $i "trap")))
  (func (export "for-ever") (canon lift (core func $i "for-ever")))
)`;

/** Its bytes. */
export function buildSmallComponent(): Promise<Uint8Array> {
  return parse(TEXT);
}
