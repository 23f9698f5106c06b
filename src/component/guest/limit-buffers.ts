import { getHeapStatistics } from 'node:v8';

/**
 * How much may be outside of the JavaScript heap, garbage included (of which some 160 MiB were seen to gather): bytes. The
 * memory of WebAssembly does not count here, it has a limit of its own.
 */
const MAX_EXTERNAL = 512 * 1024 * 1024;

/** After how many bytes that is looked at again. */
const STEP = 16 * 1024 * 1024;

/**
 * Bounds what a component hands over at a time, and has the host hold for it. `jco` takes lists of numbers out of its memory with
 * `ArrayBuffer.prototype.slice`, and texts with a `TextDecoder`, which makes long ones outside of the heap too: and the heap is
 * all that a thread's `resourceLimits` know of, while a list may name the same megabyte a million times. What is written to
 * a message that is not sent yet is kept with `slice` too, that of arrays. To be called once in a thread, before anything runs
 * there.
 * @returns a function that counts bytes which come in from outside; throws a RangeError as long as there is too much
 */
export function limitBuffers(): (bytes: number) => void {
  const { slice } = ArrayBuffer.prototype;
  const { slice: sliceBytes } = Uint8Array.prototype;
  const { decode } = TextDecoder.prototype;
  let taken = 0;

  function count(bytes: number): void {
    taken += bytes;
    if (taken <= STEP) return;
    // Until there is less it is looked at every time: a component can catch what is thrown, and go on.
    if (getHeapStatistics().external_memory > MAX_EXTERNAL) throw new RangeError('it hands over too much at a time');
    taken = 0;
  }

  ArrayBuffer.prototype.slice = function (this: ArrayBuffer, begin?: number, end?: number): ArrayBuffer {
    const copy = slice.call(this, begin ?? 0, end);
    count(copy.byteLength);
    return copy;
  };
  Uint8Array.prototype.slice = function (this: Uint8Array, begin?: number, end?: number): Uint8Array<ArrayBuffer> {
    const copy = sliceBytes.call(this, begin, end);
    count(copy.byteLength);
    return copy;
  };
  TextDecoder.prototype.decode = function (this: TextDecoder, ...args: Parameters<typeof decode>): string {
    const text = decode.apply(this, args);
    count(text.length);
    return text;
  };
  return count;
}
