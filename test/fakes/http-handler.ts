import { assembleHandler } from '../support/http-world.ts';
import { HTTP_BEHAVIOURS } from './http-behaviours.ts';

const NAMES = Object.keys(HTTP_BEHAVIOURS);

const FUNCTIONS = `
  (global $calls (mut i32) (i32.const 0))
  (table funcref (elem ${NAMES.map((name) => `$do-${name}`).join(' ')}))
  (type $behaviour (func (param i32 i32)))
  (data (i32.const 128) "- part")
  (data (i32.const 144) "\\n=")
  (data (i32.const 160) "x-markerupstream")
  (data (i32.const 180) "connectioncontent-length")
  (data (i32.const 176) "1014")

  (func $count
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 520) (i32.add (i32.load (i32.const 520)) (i32.const 1)))
    (i32.store8 (i32.const 512) (i32.add (i32.const 48) (global.get $calls)))
    (i32.store8 (i32.const 513) (i32.add (i32.const 48) (i32.load (i32.const 520)))))
  (func $incoming (param $request i32) (result i32)
    (call $consume (local.get $request) (i32.const 1024))
    (i32.load (i32.const 1028)))
  (func $input (param $body i32) (result i32)
    (call $body-stream (local.get $body) (i32.const 1024))
    (i32.load (i32.const 1028)))
  (func $output (param $body i32) (result i32)
    (call $write-to (local.get $body) (i32.const 1024))
    (i32.load (i32.const 1028)))
  (func $respond (param $out i32) (param $code i32) (param $headers i32) (result i32)
    (local $made i32) (local $content i32)
    (local.set $made (call $response (local.get $headers)))
    (if (call $set-status (local.get $made) (local.get $code)) (then unreachable))
    (call $body (local.get $made) (i32.const 1024))
    (if (i32.load8_u (i32.const 1024)) (then unreachable))
    (local.set $content (i32.load (i32.const 1028)))
    (call $set (local.get $out) (i32.const 0) (local.get $made) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (local.get $content))
  (func $say (param $to i32) (param $at i32) (param $length i32)
    (call $write-and-flush (local.get $to) (local.get $at) (local.get $length) (i32.const 1024)))
  (func $print (param $to i32) (param $at i32) (param $length i32)
    (call $say (local.get $to) (local.get $at) (local.get $length))
    (call $say (local.get $to) (i32.const 144) (i32.const 1))
    (call $drop-output (local.get $to)))
  (func $pass (param $to i32) (param $from i32)
    (loop $more
      (call $splice (local.get $to) (local.get $from) (i64.const 65536) (i32.const 1024))
      (br_if $more (i32.eqz (i32.load8_u (i32.const 1024))))))
  (func $end (param $to i32) (param $content i32)
    (call $drop-output (local.get $to))
    (call $finish (local.get $content) (i32.const 0) (i32.const 0) (i32.const 1024)))
  (func $put (param $to i32) (param $at i32) (param $length i32)
    (call $check-write (local.get $to) (i32.const 1024))
    (call $write (local.get $to) (local.get $at) (local.get $length) (i32.const 1024)))
  (func $begin (param $content i32)
    (local $to i32)
    (local.set $to (call $output (local.get $content)))
    (call $put (local.get $to) (i32.const 130) (i32.const 4))
    (call $drop-output (local.get $to)))
  (func $begin-at-once (param $content i32)
    (local $to i32)
    (local.set $to (call $output (local.get $content)))
    (call $say (local.get $to) (i32.const 130) (i32.const 4))
    (call $drop-output (local.get $to)))
  (func $part (param $out i32)
    (local $content i32)
    (local.set $content (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (call $begin (local.get $content))
    (call $finish (local.get $content) (i32.const 0) (i32.const 0) (i32.const 1024)))
  (func $fields-with-length (param $at i32) (param $length i32) (result i32)
    (local $headers i32)
    (local.set $headers (call $fields))
    (call $append (local.get $headers)
      (i32.const 190) (i32.const 14) (local.get $at) (local.get $length) (i32.const 1024))
    (local.get $headers))
  (func $part-of (param $out i32) (param $at i32) (param $length i32)
    (local $content i32)
    (local.set $content
      (call $respond (local.get $out) (i32.const 200) (call $fields-with-length (local.get $at) (local.get $length))))
    (call $begin (local.get $content))
    (call $finish (local.get $content) (i32.const 0) (i32.const 0) (i32.const 1024)))
  (func $to-upstream (result i32)
    (local $asked i32)
    (local.set $asked (call $request (call $fields)))
    (drop (call $set-scheme (local.get $asked) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
    (drop (call $set-authority (local.get $asked) (i32.const 1) (i32.const 168) (i32.const 8)))
    (local.get $asked))
  (func $ask-upstream (result i32)
    (call $send (call $to-upstream) (i32.const 0) (i32.const 0) (i32.const 1024))
    (i32.load (i32.const 1032)))
  (func $for-ever (call $for-ever) (call $count))
  (func $point (param $at i32) (param $to i32)
    (local $left i32)
    (local.set $left (i32.const 131072))
    (loop $more
      (i32.store (local.get $at) (local.get $to))
      (i32.store offset=4 (local.get $at) (i32.const 1048576))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left))))
  ;; Which behaviour a path names: FNV-1a of what follows the slash, up to a question mark.
  (func $hash (param $at i32) (param $end i32) (result i32)
    (local $sum i32)
    (local.set $sum (i32.const 0x811c9dc5))
    (block $done (loop $more
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (br_if $done (i32.eq (i32.load8_u (local.get $at)) (i32.const 63)))
      (local.set $sum (i32.mul (i32.xor (local.get $sum) (i32.load8_u (local.get $at))) (i32.const 0x01000193)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $more)))
    (local.get $sum))
  ${NAMES.map((name) => `(func $do-${name} (param $request i32) (param $out i32) ${HTTP_BEHAVIOURS[name]})`).join('\n')}`;

/** An HTTP handler that does what its path says: `/echo`, `/big`, and so on, by the table of behaviours. */
export function httpWorkbench(): Promise<Uint8Array> {
  const choices = NAMES.map(
    (name, index) => `(if (i32.eq (local.get $hash) (i32.const ${fnv1a(name)})) (then
      (call_indirect (type $behaviour) (local.get $request) (local.get $out) (i32.const ${index})) (return)))`,
  );
  return assembleHandler(
    FUNCTIONS,
    `(local $hash i32) (local $at i32)
    (call $path (local.get $request) (i32.const 1024))
    (local.set $at (i32.load (i32.const 1028)))
    (local.set $hash (call $hash
      (i32.add (local.get $at) (i32.const 1)) (i32.add (local.get $at) (i32.load (i32.const 1032)))))
    ${choices.join('\n')}
    unreachable`,
  );
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
