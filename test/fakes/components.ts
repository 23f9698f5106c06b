import { assemble, MEMORY } from '../support/assemble.ts';

/** Small components, each with one sort of behaviour, in WebAssembly text. */

/** Counts in a global and in its memory how often it was called: in a fresh instance, once. */
export function counter(): Promise<Uint8Array> {
  return assemble(
    `(module
      (memory (export "memory") 1)
      (global $calls (mut i32) (i32.const 0))
      (func (export "count-in-global") (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (global.get $calls))
      (func (export "count-in-memory") (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (i32.load (i32.const 0)))
      (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
      (func (export "double") (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2)))
      (func (export "nothing")))`,
    `package test:counter;
    world counter {
      export count-in-global: func() -> u32;
      export count-in-memory: func() -> u32;
      export add: func(a: u32, b: u32) -> u32;
      export double: func(n: u64) -> u64;
      export nothing: func();
    }`,
  );
}

/** Goes wrong in every way that a core module can. */
export function troubled(): Promise<Uint8Array> {
  return assemble(
    `(module
      (memory (export "memory") 1)
      (table 1 funcref)
      (func (export "trap") unreachable)
      (func (export "read-beyond") (drop (i32.load (i32.const -4))))
      (func (export "write-beyond") (i32.store (i32.const 65536) (i32.const 1)))
      (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
      (func (export "call-nothing") (call_indirect (i32.const 0)))
      (func $recurse (export "recurse") (result i32) (i32.add (call $recurse) (i32.const 1)))
      (func (export "grow") (result i32)
        (block $full (loop $more
          (br_if $full (i32.eq (memory.grow (i32.const 5)) (i32.const -1)))
          (br $more)))
        (memory.size))
      (func (export "spin") (loop $again (br $again)))
      (func (export "text-beyond") (result i32) (i32.const -16))
      (func (export "unknown-case") (result i32) (i32.const 77))
      (func (export "fine") (result i32) (i32.const 42)))`,
    `package test:troubled;
    world troubled {
      enum one { only }
      export trap: func();
      export read-beyond: func();
      export write-beyond: func();
      export divide: func(by: u32) -> u32;
      export call-nothing: func();
      export recurse: func() -> u32;
      export grow: func() -> u32;
      export spin: func();
      export text-beyond: func() -> string;
      export unknown-case: func() -> one;
      export fine: func() -> u32;
    }`,
  );
}

/** Asks the host for identity and credentials, and hands on what it gets, error or not. */
export function asker(): Promise<Uint8Array> {
  return assemble(
    `(module
      (import "wasmcloud:identity/store@0.0.1" "get" (func $identity (param i32 i32 i32)))
      (import "svidx:credentials/store@0.1.0" "get" (func $credentials (param i32 i32 i32)))
      ${MEMORY}
      (func $ask (export "token") (param i32 i32) (result i32)
        (call $identity (local.get 0) (local.get 1) (i32.const 64))
        (i32.const 64))
      (func (export "credentials") (param i32 i32) (result i32)
        (call $credentials (local.get 0) (local.get 1) (i32.const 64))
        (i32.const 64))
      (func (export "token-then-trap") (param i32 i32)
        (call $identity (local.get 0) (local.get 1) (i32.const 64))
        unreachable)
      (func (export "token-then-spin") (param i32 i32)
        (call $identity (local.get 0) (local.get 1) (i32.const 64))
        (loop $again (br $again)))
      (func (export "token-twice") (param i32 i32) (result i32)
        (drop (call $ask (local.get 0) (local.get 1)))
        (call $ask (local.get 0) (local.get 1)))
      (func (export "long-audience") (param $length i32) (result i32)
        (local $at i32)
        (local.set $at (call $alloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $length)))
        (memory.fill (local.get $at) (i32.const 97) (local.get $length))
        (call $ask (local.get $at) (local.get $length)))
      (func (export "audience-beyond") (result i32) (call $ask (i32.const -256) (i32.const 255)))
      (func (export "answer-beyond") (param i32 i32)
        (call $identity (local.get 0) (local.get 1) (i32.const -16))))`,
    `package test:asker;
    world asker {
      import wasmcloud:identity/store@0.0.1;
      import svidx:credentials/store@0.1.0;
      use wasmcloud:identity/store@0.0.1.{error as identity-error};
      use svidx:credentials/store@0.1.0.{credentials as credentials-union, error as credentials-error};
      export token: func(audience: string) -> result<option<string>, identity-error>;
      export credentials: func(grant: string) -> result<credentials-union, credentials-error>;
      export token-then-trap: func(audience: string);
      export token-then-spin: func(audience: string);
      export token-twice: func(audience: string) -> result<option<string>, identity-error>;
      export long-audience: func(length: u32) -> result<option<string>, identity-error>;
      export audience-beyond: func() -> result<option<string>, identity-error>;
      export answer-beyond: func(audience: string);
    }`,
  );
}

/** Refuses in every shape that a WIT `result` has. */
export function refusing(): Promise<Uint8Array> {
  return assemble(
    `(module
      ${MEMORY}
      (data (i32.const 128) "a reason")
      (func (export "with-text") (result i32)
        (i32.store8 (i32.const 64) (i32.const 1))
        (i32.store (i32.const 68) (i32.const 128))
        (i32.store (i32.const 72) (i32.const 8))
        (i32.const 64))
      (func (export "with-nothing") (result i32) (i32.const 1))
      (func (export "with-variant") (result i32)
        (i32.store8 (i32.const 64) (i32.const 1))
        (i32.store8 (i32.const 68) (i32.const 1))
        (i32.store (i32.const 72) (i32.const 7))
        (i32.const 64))
      (func (export "not-at-all") (result i32)
        (i32.store8 (i32.const 64) (i32.const 0))
        (i32.store (i32.const 68) (i32.const 42))
        (i32.const 64)))`,
    `package test:refusing;
    world refusing {
      variant why { no-reason, reason(u32) }
      export with-text: func() -> result<u32, string>;
      export with-nothing: func() -> result;
      export with-variant: func() -> result<u32, why>;
      export not-at-all: func() -> result<u32, string>;
    }`,
  );
}

/** Tries what toolchains import out of habit. */
export function habitual(): Promise<Uint8Array> {
  return assemble(
    `(module
      (import "wasi:cli/environment@0.2.3" "get-environment" (func $variables (param i32)))
      (import "wasi:cli/environment@0.2.3" "get-arguments" (func $arguments (param i32)))
      (import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))
      (import "wasi:clocks/monotonic-clock@0.2.10" "subscribe-duration" (func $subscribe (param i64) (result i32)))
      (import "wasi:io/poll@0.2.10" "[method]pollable.block" (func $block (param i32)))
      (import "wasi:io/poll@0.2.10" "poll" (func $poll (param i32 i32 i32)))
      (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
      (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $folders (param i32)))
      (import "wasi:sockets/tcp-create-socket@0.2.3" "create-tcp-socket" (func $socket (param i32 i32)))
      ${MEMORY}
      (func (export "variables") (result i32) (call $variables (i32.const 64)) (i32.const 64))
      (func (export "words") (result i32) (call $arguments (i32.const 64)) (i32.const 64))
      (func (export "leave") (param i32) (call $exit (local.get 0)))
      (func (export "sleep") (param i64) (call $block (call $subscribe (local.get 0))))
      (func (export "poll-nothing") (call $poll (i32.const 64) (i32.const 0) (i32.const 64)))
      (func (export "random") (param i64) (result i32) (call $random (local.get 0) (i32.const 64)) (i32.const 64))
      (func (export "folders") (result i32) (call $folders (i32.const 64)) (i32.load (i32.const 68)))
      (func (export "socket") (result i32) (call $socket (i32.const 0) (i32.const 64)) (i32.const 64)))`,
    `package test:habitual;
    world habitual {
      import wasi:cli/environment@0.2.3;
      import wasi:cli/exit@0.2.3;
      import wasi:clocks/monotonic-clock@0.2.10;
      import wasi:io/poll@0.2.10;
      import wasi:random/random@0.2.0;
      import wasi:filesystem/preopens@0.2.3;
      import wasi:sockets/tcp-create-socket@0.2.3;
      use wasi:sockets/network@0.2.3.{error-code};
      use wasi:sockets/tcp@0.2.3.{tcp-socket};
      export variables: func() -> list<tuple<string, string>>;
      export words: func() -> list<string>;
      export leave: func(status: result);
      export sleep: func(nanoseconds: u64);
      export poll-nothing: func();
      export random: func(length: u64) -> list<u8>;
      export folders: func() -> u32;
      export socket: func() -> result<tcp-socket, error-code>;
    }
    package wasi:io@0.2.10 {
      interface poll { resource pollable { block: func(); } poll: func(in: list<borrow<pollable>>) -> list<u32>; }
    }
    package wasi:cli@0.2.3 {
      interface exit { exit: func(status: result); }
      interface environment {
        get-environment: func() -> list<tuple<string, string>>;
        get-arguments: func() -> list<string>;
      }
    }
    package wasi:clocks@0.2.10 {
      interface monotonic-clock {
        use wasi:io/poll@0.2.10.{pollable};
        subscribe-duration: func(when: u64) -> pollable;
      }
    }
    package wasi:random@0.2.0 { interface random { get-random-bytes: func(len: u64) -> list<u8>; } }
    package wasi:filesystem@0.2.3 {
      interface types { resource descriptor; }
      interface preopens {
        use types.{descriptor};
        get-directories: func() -> list<tuple<descriptor, string>>;
      }
    }
    package wasi:sockets@0.2.3 {
      interface network {
        enum error-code { unknown, access-denied, not-supported }
        enum ip-address-family { ipv4, ipv6 }
      }
      interface tcp { resource tcp-socket; }
      interface tcp-create-socket {
        use network.{error-code, ip-address-family};
        use tcp.{tcp-socket};
        create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
      }
    }`,
  );
}

/** An HTTP handler that drops what it is given. */
export function httpHandler(): Promise<Uint8Array> {
  return assemble(
    `(module
      (import "wasi:http/types@0.2.10" "[resource-drop]incoming-request" (func $drop-request (param i32)))
      (import "wasi:http/types@0.2.10" "[resource-drop]response-outparam" (func $drop-answer (param i32)))
      (func (export "wasi:http/incoming-handler@0.2.10#handle") (param i32 i32)
        (call $drop-request (local.get 0))
        (call $drop-answer (local.get 1))))`,
    `package test:handler;
    world handler { export wasi:http/incoming-handler@0.2.10; }
    package wasi:http@0.2.10 {
      interface types { resource incoming-request; resource response-outparam; }
      interface incoming-handler {
        use types.{incoming-request, response-outparam};
        handle: func(request: incoming-request, response-out: response-outparam);
      }
    }`,
  );
}

/** A command that succeeds at once. */
export function command(): Promise<Uint8Array> {
  return assemble(
    `(module (func (export "wasi:cli/run@0.2.3#run") (result i32) (i32.const 0)))`,
    `package test:command;
    world command { export wasi:cli/run@0.2.3; }
    package wasi:cli@0.2.3 { interface run { run: func() -> result; } }`,
  );
}
