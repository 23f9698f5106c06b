;; Answers every request with 200 and a short text, through wasi:http alone: no engine, no allocator, no other import.
;; Names and signatures are those of the canonical ABI: an own handle is an i32, and a result that takes more than one
;; value is written to the address that is the last parameter (0 is "ok", the handle comes 4 bytes behind it).
(module
  (import "wasi:http/types@0.2.12" "[static]fields.from-list" (func $fields (param i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $stream (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))

  (memory (export "memory") 1)
  ;; One header: address and length of its name, then of its value.
  (data (i32.const 16) "\20\00\00\00\0c\00\00\00\30\00\00\00\0a\00\00\00")
  (data (i32.const 32) "content-type")
  (data (i32.const 48) "text/plain")
  (data (i32.const 64) "Hello from a component.\n")

  (func (export "wasi:http/incoming-handler@0.2.12#handle") (param $request i32) (param $out i32)
    (local $answer i32) (local $body_handle i32) (local $stream_handle i32)
    (call $fields (i32.const 16) (i32.const 1) (i32.const 128))
    (local.set $answer (call $response (i32.load (i32.const 132))))
    (call $body (local.get $answer) (i32.const 128))
    (local.set $body_handle (i32.load (i32.const 132)))
    (call $set (local.get $out) (i32.const 0) (local.get $answer)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $stream (local.get $body_handle) (i32.const 128))
    (local.set $stream_handle (i32.load (i32.const 132)))
    (call $write (local.get $stream_handle) (i32.const 64) (i32.const 24) (i32.const 128))
    (call $drop_stream (local.get $stream_handle))
    (call $finish (local.get $body_handle) (i32.const 0) (i32.const 0) (i32.const 128)))

  ;; Nothing that this world gives a component has to be allocated for it.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))
