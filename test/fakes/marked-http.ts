import { wasiPackages } from '../../examples/wasi-wit.ts';
import { assemble, MEMORY } from '../support/assemble.ts';

const HTTP = `
  (import "wasi:http/types@0.2.12" "[method]incoming-request.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-body.stream" (func $in_stream (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $out_stream (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]input-stream" (func $drop_in (param i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_out (param i32)))`;

/** Reads the request's body to its end, then answers with `$length` bytes from `$at` on, so often. */
const ANSWER = `
  (func $read_all (param $request i32)
    (local $stream i32)
    (call $consume (local.get $request) (i32.const 16))
    (call $in_stream (i32.load (i32.const 20)) (i32.const 16))
    (local.set $stream (i32.load (i32.const 20)))
    (loop $more
      (call $read (local.get $stream) (i64.const 4096) (i32.const 16))
      (br_if $more (i32.eqz (i32.load8_u (i32.const 16)))))
    (call $drop_in (local.get $stream)))
  (func $answer (param $out i32) (param $at i32) (param $length i32) (param $times i32)
    (local $response i32) (local $body i32) (local $stream i32)
    (local.set $response (call $response (call $fields)))
    (call $body (local.get $response) (i32.const 16))
    (local.set $body (i32.load (i32.const 20)))
    (call $set (local.get $out) (i32.const 0) (local.get $response)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $out_stream (local.get $body) (i32.const 16))
    (local.set $stream (i32.load (i32.const 20)))
    (loop $again
      (call $write (local.get $stream) (local.get $at) (local.get $length) (i32.const 32))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))
    (call $drop_out (local.get $stream))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 48)))`;

async function handler(module: string, imports = ''): Promise<Uint8Array> {
  return assemble(
    `(module ${module})`,
    `package test:marked;
    world marked {
      import wasi:http/types@0.2.12;
      import wasi:io/streams@0.2.12;
      ${imports}
      export wasi:http/incoming-handler@0.2.12;
    }
    ${await wasiPackages()}`,
  );
}

/** How often a mark is there in an answer of {@link markedHandler}. */
export const MARKS = 20;

/**
 * An HTTP handler that reads its request to the end and then answers with its mark, twenty times, a chunk each.
 * @param mark ASCII, at most 1024 characters
 * @param start what it does when it is instantiated, in WebAssembly text
 */
export function markedHandler(mark: string, start = ''): Promise<Uint8Array> {
  return handler(`
    ${HTTP} ${MEMORY} ${ANSWER}
    (data (i32.const 1024) "${mark}")
    (func $start ${start})
    (start $start)
    (func (export "wasi:http/incoming-handler@0.2.12#handle") (param $request i32) (param $out i32)
      (call $read_all (local.get $request))
      (call $answer (local.get $out) (i32.const 1024) (i32.const ${mark.length}) (i32.const ${MARKS})))`);
}

/** An HTTP handler that answers with a JWT-SVID of its own for the audience `me`, or traps where it gets none. */
export function tokenHandler(): Promise<Uint8Array> {
  return handler(
    `(import "wasmcloud:identity/store@0.0.1" "get" (func $identity (param i32 i32 i32)))
    ${HTTP} ${MEMORY} ${ANSWER}
    (data (i32.const 1024) "me")
    (func (export "wasi:http/incoming-handler@0.2.12#handle") (param $request i32) (param $out i32)
      (call $identity (i32.const 1024) (i32.const 2) (i32.const 64))
      ;; result "ok", option "some", then address and length
      (if (i32.or (i32.load8_u (i32.const 64)) (i32.eqz (i32.load8_u (i32.const 68)))) (then unreachable))
      (call $answer (local.get $out) (i32.load (i32.const 72)) (i32.load (i32.const 76)) (i32.const 1)))`,
    'import wasmcloud:identity/store@0.0.1;',
  );
}
