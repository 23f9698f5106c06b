import { getHeapStatistics } from 'node:v8';

/**
 * How much may be outside of the JavaScript heap, garbage included (of which some 160 MiB were seen to gather): bytes. The
 * memory of WebAssembly does not count here, it has a limit of its own.
 */
const MAX_EXTERNAL = 512 * 1024 * 1024;

/** After how many bytes that is looked at again. */
const STEP = 16 * 1024 * 1024;

/**
 * Bounds what a component hands over at a time. `jco` takes lists of numbers out of its memory with
 * `ArrayBuffer.prototype.slice`, and texts with a `TextDecoder`, which makes long ones outside of the heap too: and the heap is
 * all that a thread's `resourceLimits` know of, while a list may name the same megabyte a million times. To be called once in a
 * thread, before anything runs there.
 */
export function limitBuffers(): void {
  const { slice } = ArrayBuffer.prototype;
  const { decode } = TextDecoder.prototype;
  let taken = 0;

  function count(bytes: number): void {
    taken += bytes;
    if (taken <= STEP) return;
    taken = 0;
    if (getHeapStatistics().external_memory > MAX_EXTERNAL) throw new RangeError('it hands over too much at a time');
  }

  ArrayBuffer.prototype.slice = function (this: ArrayBuffer, begin?: number, end?: number): ArrayBuffer {
    const copy = slice.call(this, begin ?? 0, end);
    count(copy.byteLength);
    return copy;
  };
  TextDecoder.prototype.decode = function (this: TextDecoder, ...args: Parameters<typeof decode>): string {
    const text = decode.apply(this, args);
    count(text.length);
    return text;
  };
}
