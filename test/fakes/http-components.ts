import { wasiPackages } from '../../examples/wasi-wit.ts';
import { assemble, MEMORY } from '../support/assemble.ts';

/** What a component behind HTTP needs to answer with a text. */
const ANSWER = `
  (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $stream (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  ${MEMORY}
  ;; Answers with 200 and a text of at most 4096 bytes.
  (func $answer (param $out i32) (param $at i32) (param $length i32)
    (local $response i32) (local $body i32) (local $stream i32)
    (local.set $response (call $response (call $fields)))
    (call $body (local.get $response) (i32.const 128))
    (local.set $body (i32.load (i32.const 132)))
    (call $set (local.get $out) (i32.const 0) (local.get $response)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $stream (local.get $body) (i32.const 128))
    (local.set $stream (i32.load (i32.const 132)))
    (call $write (local.get $stream) (local.get $at) (local.get $length) (i32.const 128))
    (call $drop_stream (local.get $stream))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 128)))
  ;; The same, with a number in decimal.
  (func $answer_number (param $out i32) (param $number i32)
    (local $at i32)
    (local.set $at (i32.const 1024))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $digit (local.get $number)))
    (call $answer (local.get $out) (local.get $at) (i32.sub (i32.const 1024) (local.get $at))))`;

/** A component behind HTTP: imports of its own, and what its handler does with `$out`. */
async function handler(imports: string, body: string, wit: string): Promise<Uint8Array> {
  return assemble(
    `(module
      ${imports}
      ${ANSWER}
      (global $requests (mut i32) (i32.const 0))
      (func (export "wasi:http/incoming-handler@0.2.12#handle") (param $request i32) (param $out i32) ${body}))`,
    `package test:handler@0.1.0;
    world handler {
      import wasi:http/types@0.2.12;
      ${wit}
      export wasi:http/incoming-handler@0.2.12;
    }
    ${await wasiPackages()}`,
  );
}

/**
 * Asks for a JWT-SVID and answers with its length, or with 0 where it gets none. The token itself never leaves it.
 * @param audience plain ASCII, at most 64 characters
 */
export function identityLength(audience: string): Promise<Uint8Array> {
  return handler(
    `(import "wasmcloud:identity/store@0.0.1" "get" (func $identity (param i32 i32 i32)))
     (data (i32.const 1024) "${audience}")`,
    `(call $identity (i32.const 1024) (i32.const ${audience.length}) (i32.const 64))
     ;; result: 0 is "ok"; option: 1 is "some"; then address and length of the text.
     (if (i32.and (i32.eqz (i32.load8_u (i32.const 64))) (i32.load8_u (i32.const 68)))
       (then (call $answer_number (local.get $out) (i32.load (i32.const 76))))
       (else (call $answer_number (local.get $out) (i32.const 0))))`,
    'import wasmcloud:identity/store@0.0.1;',
  );
}

/** Asks for a JWT-SVID and answers with the part of it that holds the claims, in base64url: at most 4096 bytes. */
export function identityClaims(audience: string): Promise<Uint8Array> {
  return handler(
    `(import "wasmcloud:identity/store@0.0.1" "get" (func $identity (param i32 i32 i32)))
     (data (i32.const 1024) "${audience}")`,
    `(local $at i32) (local $end i32)
     (call $identity (i32.const 1024) (i32.const ${audience.length}) (i32.const 64))
     (if (i32.or (i32.load8_u (i32.const 64)) (i32.eqz (i32.load8_u (i32.const 68)))) (then unreachable))
     ;; From behind the first dot to the second one.
     (local.set $at (i32.load (i32.const 72)))
     (loop $header
       (local.set $at (i32.add (local.get $at) (i32.const 1)))
       (br_if $header (i32.ne (i32.load8_u (i32.sub (local.get $at) (i32.const 1))) (i32.const 46))))
     (local.set $end (local.get $at))
     (loop $payload
       (local.set $end (i32.add (local.get $end) (i32.const 1)))
       (br_if $payload (i32.ne (i32.load8_u (local.get $end)) (i32.const 46))))
     (call $answer (local.get $out) (local.get $at) (i32.sub (local.get $end) (local.get $at)))`,
    'import wasmcloud:identity/store@0.0.1;',
  );
}

/** Answers with how many requests its instance has seen: 1, if each has an instance of its own. */
export function requestCounter(): Promise<Uint8Array> {
  return handler(
    '',
    `(global.set $requests (i32.add (global.get $requests) (i32.const 1)))
     (call $answer_number (local.get $out) (global.get $requests))`,
    '',
  );
}

/** Ends without having answered. */
export function silentHandler(): Promise<Uint8Array> {
  return handler('', '', '');
}

/** Never answers. */
export function endlessHandler(): Promise<Uint8Array> {
  return handler('', '(loop $again (br $again))', '');
}

/** Traps before it has answered. */
export function trappingHandler(): Promise<Uint8Array> {
  return handler('', 'unreachable', '');
}
