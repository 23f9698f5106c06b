import { wasiPackages } from '../../examples/wasi-wit.ts';
import { assemble, MEMORY } from './assemble.ts';

const WORLD = `package test:handler;
world handler {
  import wasi:http/types@0.2.12;
  import wasi:http/outgoing-handler@0.2.12;
  import wasi:io/streams@0.2.12;
  import wasi:io/poll@0.2.12;
  import wasi:clocks/monotonic-clock@0.2.12;
  import wasi:cli/stdout@0.2.12;
  import wasi:cli/stderr@0.2.12;
  import wasi:cli/exit@0.2.12;
  import wasmcloud:identity/store@0.0.1;
  export wasi:http/incoming-handler@0.2.12;
}`;

/** Functions of WASI by a short name, with the core types that the canonical ABI gives them. */
const IMPORTS: Readonly<Record<string, readonly (readonly [short: string, name: string, type: string])[]>> = {
  'wasi:http/types@0.2.12': [
    ['fields', '[constructor]fields', '(result i32)'],
    ['append', '[method]fields.append', '(param i32 i32 i32 i32 i32 i32)'],
    ['set-values', '[method]fields.set', '(param i32 i32 i32 i32 i32 i32)'],
    ['get', '[method]fields.get', '(param i32 i32 i32 i32)'],
    ['entries', '[method]fields.entries', '(param i32 i32)'],
    ['drop-fields', '[resource-drop]fields', '(param i32)'],
    ['path', '[method]incoming-request.path-with-query', '(param i32 i32)'],
    ['headers', '[method]incoming-request.headers', '(param i32) (result i32)'],
    ['consume', '[method]incoming-request.consume', '(param i32 i32)'],
    ['body-stream', '[method]incoming-body.stream', '(param i32 i32)'],
    ['trailers-of', '[static]incoming-body.finish', '(param i32) (result i32)'],
    ['trailers-ready', '[method]future-trailers.subscribe', '(param i32) (result i32)'],
    ['trailers', '[method]future-trailers.get', '(param i32 i32)'],
    ['response', '[constructor]outgoing-response', '(param i32) (result i32)'],
    ['set-status', '[method]outgoing-response.set-status-code', '(param i32 i32) (result i32)'],
    ['body', '[method]outgoing-response.body', '(param i32 i32)'],
    ['write-to', '[method]outgoing-body.write', '(param i32 i32)'],
    ['finish', '[static]outgoing-body.finish', '(param i32 i32 i32 i32)'],
    ['drop-body', '[resource-drop]outgoing-body', '(param i32)'],
    ['set', '[static]response-outparam.set', '(param i32 i32 i32 i32 i64 i32 i32 i32 i32)'],
    ['drop-outparam', '[resource-drop]response-outparam', '(param i32)'],
    ['request', '[constructor]outgoing-request', '(param i32) (result i32)'],
    ['set-scheme', '[method]outgoing-request.set-scheme', '(param i32 i32 i32 i32 i32) (result i32)'],
    ['set-authority', '[method]outgoing-request.set-authority', '(param i32 i32 i32 i32) (result i32)'],
    ['request-body', '[method]outgoing-request.body', '(param i32 i32)'],
    ['answer-ready', '[method]future-incoming-response.subscribe', '(param i32) (result i32)'],
    ['answer', '[method]future-incoming-response.get', '(param i32 i32)'],
    ['drop-answer', '[resource-drop]future-incoming-response', '(param i32)'],
    ['status', '[method]incoming-response.status', '(param i32) (result i32)'],
    ['consume-answer', '[method]incoming-response.consume', '(param i32 i32)'],
  ],
  'wasi:http/outgoing-handler@0.2.12': [['send', 'handle', '(param i32 i32 i32 i32)']],
  'wasi:io/streams@0.2.12': [
    ['read', '[method]input-stream.blocking-read', '(param i32 i64 i32)'],
    ['drop-input', '[resource-drop]input-stream', '(param i32)'],
    ['check-write', '[method]output-stream.check-write', '(param i32 i32)'],
    ['write', '[method]output-stream.write', '(param i32 i32 i32 i32)'],
    ['flush', '[method]output-stream.flush', '(param i32 i32)'],
    ['write-and-flush', '[method]output-stream.blocking-write-and-flush', '(param i32 i32 i32 i32)'],
    ['write-zeroes', '[method]output-stream.blocking-write-zeroes-and-flush', '(param i32 i64 i32)'],
    ['splice', '[method]output-stream.blocking-splice', '(param i32 i32 i64 i32)'],
    ['drop-output', '[resource-drop]output-stream', '(param i32)'],
  ],
  'wasi:io/poll@0.2.12': [
    ['block', '[method]pollable.block', '(param i32)'],
    ['poll', 'poll', '(param i32 i32 i32)'],
  ],
  'wasi:clocks/monotonic-clock@0.2.12': [['after', 'subscribe-duration', '(param i64) (result i32)']],
  'wasi:cli/stdout@0.2.12': [['stdout', 'get-stdout', '(result i32)']],
  'wasi:cli/stderr@0.2.12': [['stderr', 'get-stderr', '(result i32)']],
  'wasi:cli/exit@0.2.12': [['exit', 'exit', '(param i32)']],
  'wasmcloud:identity/store@0.0.1': [['identity', 'get', '(param i32 i32 i32)']],
};

/**
 * Makes an HTTP handler of the body of its function `handle`, in WebAssembly text. It may call the functions of `IMPORTS` by
 * their short names, and has a memory with an allocator; below 4096 it may write what it likes.
 * @param functions other functions, globals and data
 * @param handle takes `$request` and `$out`; may have locals
 */
export async function assembleHandler(functions: string, handle: string): Promise<Uint8Array> {
  // Only what it calls: each import is work in every request.
  const called = new Set([...`${functions} ${handle}`.matchAll(/\(call \$([a-z-]+)/g)].map(([, name]) => name));
  const imports = Object.entries(IMPORTS).flatMap(([name, fns]) =>
    fns
      .filter(([short]) => called.has(short))
      .map(([short, fn, type]) => `(import "${name}" "${fn}" (func $${short} ${type}))`),
  );
  const exported = '(func (export "wasi:http/incoming-handler@0.2.12#handle") (param $request i32) (param $out i32)';
  return assemble(
    `(module ${imports.join('\n')} ${MEMORY} ${functions} ${exported} ${handle}))`,
    `${WORLD}\n${await wasiPackages()}`,
  );
}
