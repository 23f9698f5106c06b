import { assembleHandler } from '../support/http-world.ts';

/**
 * An HTTP handler that says who it is, a line each: how often its global and its memory were counted up, its token for the
 * audience that the header x-marker names, that header, and the body. The header goes to its log as well.
 *
 * What functions of WASI give back lies from 1024 on, as the canonical ABI has it.
 */
export function whoAmI(): Promise<Uint8Array> {
  return assembleHandler(
    `(global $calls (mut i32) (i32.const 0))
    (data (i32.const 128) "\\nx-marker")
    (func $put (param $to i32) (param $at i32) (param $length i32)
      (call $check-write (local.get $to) (i32.const 1024))
      (call $write (local.get $to) (local.get $at) (local.get $length) (i32.const 1024)))
    (func $line (param $to i32) (param $at i32) (param $length i32)
      (call $put (local.get $to) (local.get $at) (local.get $length))
      (call $put (local.get $to) (i32.const 128) (i32.const 1)))
    (func $count
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (i32.store (i32.const 520) (i32.add (i32.load (i32.const 520)) (i32.const 1)))
      (i32.store8 (i32.const 512) (i32.add (i32.const 48) (global.get $calls)))
      (i32.store8 (i32.const 513) (i32.add (i32.const 48) (i32.load (i32.const 520)))))`,
    `(local $at i32) (local $length i32) (local $token i32) (local $token-length i32)
    (local $answer i32) (local $content i32) (local $to i32) (local $from i32)
    (call $count)
    (call $get (call $headers (local.get $request)) (i32.const 129) (i32.const 8) (i32.const 1024))
    (local.set $at (i32.load (i32.load (i32.const 1024))))
    (local.set $length (i32.load offset=4 (i32.load (i32.const 1024))))
    (call $identity (local.get $at) (local.get $length) (i32.const 1024))
    (local.set $token (i32.load (i32.const 1032)))
    (local.set $token-length (i32.load (i32.const 1036)))

    (local.set $answer (call $response (call $fields)))
    (call $body (local.get $answer) (i32.const 1024))
    (local.set $content (i32.load (i32.const 1028)))
    (call $set (local.get $out) (i32.const 0) (local.get $answer) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $write-to (local.get $content) (i32.const 1024))
    (local.set $to (i32.load (i32.const 1028)))
    (call $line (local.get $to) (i32.const 512) (i32.const 2))
    (call $line (local.get $to) (local.get $token) (local.get $token-length))
    (call $line (local.get $to) (local.get $at) (local.get $length))
    (call $line (call $stdout) (local.get $at) (local.get $length))

    (call $consume (local.get $request) (i32.const 1024))
    (call $body-stream (i32.load (i32.const 1028)) (i32.const 1024))
    (local.set $from (i32.load (i32.const 1028)))
    (loop $more
      (call $splice (local.get $to) (local.get $from) (i64.const 65536) (i32.const 1024))
      (br_if $more (i32.eqz (i32.load8_u (i32.const 1024)))))
    (call $drop-output (local.get $to))
    (call $finish (local.get $content) (i32.const 0) (i32.const 0) (i32.const 1024))`,
  );
}
