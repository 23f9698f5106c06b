import { getHeapStatistics } from 'node:v8';

/**
 * How much may be in buffers outside of the JavaScript heap, garbage included (of which some 160 MiB were seen to gather): bytes.
 */
const MAX_BUFFERS = 384 * 1024 * 1024;

/** After how many copied bytes that is looked at again. */
const STEP = 16 * 1024 * 1024;

/**
 * Bounds what a component hands over at a time. `jco` copies each list of numbers out of its memory with
 * `ArrayBuffer.prototype.slice`; such buffers are not on the heap, which is all that a thread's `resourceLimits` know of, and
 * a list of lists may name the same megabyte a million times. To be called once in a thread, before anything runs there.
 */
export function limitBuffers(): void {
  const { slice } = ArrayBuffer.prototype;
  let copied = 0;

  ArrayBuffer.prototype.slice = function (this: ArrayBuffer, begin?: number, end?: number): ArrayBuffer {
    const copy = slice.call(this, begin ?? 0, end);
    copied += copy.byteLength;
    if (copied > STEP) {
      copied = 0;
      if (getHeapStatistics().external_memory > MAX_BUFFERS) throw new RangeError('it hands over too much at a time');
    }
    return copy;
  };
}
