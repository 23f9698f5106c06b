/**
 * What an HTTP handler can do, well or badly: each a function in WebAssembly text, which may call those of `http-handler.ts`.
 *
 * What functions of WASI give back lies from 1024 on, as the canonical ABI has it: the handle of a result at 4, that of an
 * answer at 24.
 */
export const HTTP_BEHAVIOURS: Readonly<Record<string, string>> = {
  // Sends the request's body back, and its trailers.
  echo: `
    (local $in i32) (local $from i32) (local $body i32) (local $to i32) (local $future i32)
    (local.set $in (call $incoming (local.get $request)))
    (local.set $from (call $input (local.get $in)))
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (local.set $to (call $output (local.get $body)))
    (call $pass (local.get $to) (local.get $from))
    (call $drop-input (local.get $from))
    (call $drop-output (local.get $to))
    (local.set $future (call $trailers-of (local.get $in)))
    (call $block (call $trailers-ready (local.get $future)))
    (call $trailers (local.get $future) (i32.const 1024))
    (call $finish (local.get $body) (i32.load8_u (i32.const 1048)) (i32.load (i32.const 1052)) (i32.const 1024))`,

  // 16 MiB of zeroes.
  big: `
    (local $body i32) (local $to i32)
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (local.set $to (call $output (local.get $body)))
    (call $write-zeroes (local.get $to) (i64.const 16777216) (i32.const 1024))
    (call $end (local.get $to) (local.get $body))`,

  // 20,000 bytes, each in a write and a flush of its own.
  crumbs: `
    (local $body i32) (local $to i32) (local $left i32)
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (local.set $to (call $output (local.get $body)))
    (local.set $left (i32.const 20000))
    (loop $more
      (call $say (local.get $to) (i32.const 128) (i32.const 1))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $end (local.get $to) (local.get $body))`,

  // How often this instance was asked: by its global, and by its memory.
  count: `
    (local $body i32) (local $to i32)
    (call $count)
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (local.set $to (call $output (local.get $body)))
    (call $say (local.get $to) (i32.const 512) (i32.const 2))
    (call $end (local.get $to) (local.get $body))`,

  // The request's headers, a line each.
  headers: `
    (local $body i32) (local $to i32) (local $at i32) (local $left i32)
    (call $entries (call $headers (local.get $request)) (i32.const 1024))
    (local.set $at (i32.load (i32.const 1024)))
    (local.set $left (i32.load (i32.const 1028)))
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (local.set $to (call $output (local.get $body)))
    (block $done (loop $more
      (br_if $done (i32.eqz (local.get $left)))
      (call $say (local.get $to) (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)))
      (call $say (local.get $to) (i32.const 145) (i32.const 1))
      (call $say (local.get $to) (i32.load offset=8 (local.get $at)) (i32.load offset=12 (local.get $at)))
      (call $say (local.get $to) (i32.const 144) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $more)))
    (call $end (local.get $to) (local.get $body))`,

  // Asks http://upstream, and hands on status and body; or the number of the error's case as status, from 500 on.
  ask: `
    (local $future i32) (local $body i32) (local $to i32) (local $answer i32)
    (local.set $future (call $ask-upstream))
    (call $block (call $answer-ready (local.get $future)))
    (call $answer (local.get $future) (i32.const 1024))
    (if (i32.load8_u (i32.const 1040)) (then
      (local.set $body (call $respond
        (local.get $out) (i32.add (i32.const 500) (i32.load8_u (i32.const 1048))) (call $fields)))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 1024))
      (return)))
    (local.set $answer (i32.load (i32.const 1048)))
    (local.set $body (call $respond (local.get $out) (call $status (local.get $answer)) (call $fields)))
    (local.set $to (call $output (local.get $body)))
    (call $consume-answer (local.get $answer) (i32.const 1024))
    (call $pass (local.get $to) (call $input (i32.load (i32.const 1028))))
    (call $end (local.get $to) (local.get $body))`,

  // Asks without end, and waits for no answer.
  flood: `(loop $again (call $drop-answer (call $ask-upstream)) (br $again))`,

  // Asks, answers, and leaves before there is an answer to it.
  'ask-and-leave': '(drop (call $ask-upstream)) (call $part (local.get $out))',

  // Sends 1 MiB to http://upstream, and answers once it is sent, or nobody wants it.
  upload: `
    (local $asked i32) (local $body i32) (local $to i32)
    (local.set $asked (call $to-upstream))
    (call $request-body (local.get $asked) (i32.const 1024))
    (local.set $body (i32.load (i32.const 1028)))
    (call $send (local.get $asked) (i32.const 0) (i32.const 0) (i32.const 1024))
    (local.set $to (call $output (local.get $body)))
    (call $write-zeroes (local.get $to) (i64.const 1048576) (i32.const 1024))
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 1024))`,

  // Prints where it is asked for, and answers.
  print: `
    (call $print (call $stdout) (i32.const 130) (i32.const 4))
    (call $print (call $stderr) (i32.const 130) (i32.const 4))
    (call $part (local.get $out))`,
  'print-for-ever': `(loop $again (call $print (call $stdout) (i32.const 130) (i32.const 4)) (br $again))`,

  // Answers, and never looks at what it was sent.
  plain: '(call $part (local.get $out))',
  empty: `
    (call $set (local.get $out) (i32.const 0) (call $response (call $fields)) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`,
  'no-content': `
    (call $finish (call $respond (local.get $out) (i32.const 204) (call $fields))
      (i32.const 0) (i32.const 0) (i32.const 1024))`,
  'not-modified': `
    (call $finish (call $respond (local.get $out) (i32.const 304) (call $fields))
      (i32.const 0) (i32.const 0) (i32.const 1024))`,

  'no-answer': '(call $drop-outparam (local.get $out))',
  refuse: `
    (call $set (local.get $out) (i32.const 1) (i32.const 38) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`,
  'drop-body': `
    (local $body i32)
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (call $begin (local.get $body))
    (call $drop-body (local.get $body))`,
  'drop-body-later': `
    (local $body i32)
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (call $begin-at-once (local.get $body))
    (call $drop-body (local.get $body))`,
  'two-lengths': `
    (local $headers i32) (local $body i32)
    (local.set $headers (call $fields-with-length (i32.const 179) (i32.const 1)))
    (call $append (local.get $headers)
      (i32.const 190) (i32.const 14) (i32.const 179) (i32.const 1) (i32.const 1024))
    (local.set $body (call $respond (local.get $out) (i32.const 200) (local.get $headers)))
    (call $begin (local.get $body))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 1024))`,
  'keep-body': '(call $begin (call $respond (local.get $out) (i32.const 200) (call $fields)))',
  'too-short': '(call $part-of (local.get $out) (i32.const 176) (i32.const 2))',
  'too-long': '(call $part-of (local.get $out) (i32.const 178) (i32.const 1))',
  'just-right': '(call $part-of (local.get $out) (i32.const 179) (i32.const 1))',
  'bad-length': '(call $part-of (local.get $out) (i32.const 130) (i32.const 4))',
  'length-without-body': `
    (call $set (local.get $out) (i32.const 0)
      (call $response (call $fields-with-length (i32.const 179) (i32.const 1)))
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`,
  'write-after-finish': `
    (local $body i32) (local $to i32)
    (local.set $body (call $respond (local.get $out) (i32.const 200) (call $fields)))
    (local.set $to (call $output (local.get $body)))
    (call $say (local.get $to) (i32.const 130) (i32.const 4))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 1024))
    (call $write-and-flush (local.get $to) (i32.const 130) (i32.const 4) (i32.const 1024))
    (if (i32.eqz (i32.load8_u (i32.const 1024))) (then unreachable))`,
  // The status says which error it was.
  'forbidden-header': `
    (local $headers i32)
    (local.set $headers (call $fields))
    (call $append (local.get $headers) (i32.const 180) (i32.const 10) (i32.const 130) (i32.const 4) (i32.const 1024))
    (if (i32.eqz (i32.load8_u (i32.const 1024))) (then unreachable))
    (call $finish
      (call $respond
        (local.get $out) (i32.add (i32.const 400) (i32.load8_u (i32.const 1025))) (local.get $headers))
      (i32.const 0) (i32.const 0) (i32.const 1024))`,

  trap: 'unreachable',
  'trap-later': '(call $begin-at-once (call $respond (local.get $out) (i32.const 200) (call $fields))) unreachable',
  spin: '(loop $again (br $again))',
  'spin-later':
    '(call $begin-at-once (call $respond (local.get $out) (i32.const 200) (call $fields))) (loop $again (br $again))',
  bomb: '(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable',
  recurse: '(call $for-ever)',
  sleep: '(call $block (call $after (i64.const 3600000000000)))',
  'hang-in-import': '(call $identity (i32.const 130) (i32.const 4) (i32.const 1024)) (call $part (local.get $out))',
  'poll-nothing': '(call $poll (i32.const 0) (i32.const 0) (i32.const 1024))',
  'drop-unknown': '(call $drop-fields (i32.const 12345))',
  'use-dropped': `
    (local $headers i32)
    (local.set $headers (call $fields))
    (call $drop-fields (local.get $headers))
    (call $entries (local.get $headers) (i32.const 1024))`,
  'wrong-kind': '(call $entries (local.get $out) (i32.const 1024))',
  'not-given': '(call $read (i32.const 3) (i64.const 10) (i32.const 1024))',
  exit: '(call $exit (i32.const 0))',
  'exit-later': '(call $part (local.get $out)) (call $exit (i32.const 0))',
  // Makes 6,000 requests with a body of 256 KiB each, and sends none: 1.5 GB.
  hold: `
    (local $left i32) (local $content i32)
    (local.set $left (i32.const 6000))
    (loop $more
      (call $request-body (call $to-upstream) (i32.const 1024))
      (local.set $content (i32.load (i32.const 1028)))
      (call $write-zeroes (call $output (local.get $content)) (i64.const 262144) (i32.const 1024))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $part (local.get $out))`,
  // Asks 6,000 times, and keeps the answers without reading them.
  hoard: `
    (local $left i32)
    (local.set $left (i32.const 6000))
    (loop $more
      (call $block (call $answer-ready (call $ask-upstream)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $part (local.get $out))`,
  // The same, and never waits for one.
  'hoard-blindly': `
    (local $left i32)
    (local.set $left (i32.const 6000))
    (loop $more
      (drop (call $ask-upstream))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $set (local.get $out) (i32.const 0) (call $response (call $fields)) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`,
  // Hands the host one MiB as often as a list can hold it.
  aliases: `
    (local $at i32)
    (local.set $at (call $alloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 2097152)))
    (memory.fill (local.get $at) (i32.const 97) (i32.const 1048576))
    (call $point (i32.add (local.get $at) (i32.const 1048576)) (local.get $at))
    (call $set-values (call $fields) (i32.const 160) (i32.const 8)
      (i32.add (local.get $at) (i32.const 1048576)) (i32.const 131072) (i32.const 1024))`,
};
