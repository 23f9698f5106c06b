import type { OutgoingBody } from 'wasi:http/types@0.2.12';

/** What `blocking-write-and-flush` takes at a time (wasi:io/streams). */
const MAX_WRITE_BYTES = 4096;

/** Writes a text into a body, as fast as it is taken. */
export function writeText(body: OutgoingBody, text: string): void {
  const bytes = new TextEncoder().encode(text);
  const stream = body.write();
  try {
    for (let at = 0; at < bytes.byteLength; at += MAX_WRITE_BYTES) {
      stream.blockingWriteAndFlush(bytes.subarray(at, at + MAX_WRITE_BYTES));
    }
  } finally {
    // A body that still has a stream cannot be finished.
    stream[Symbol.dispose]();
  }
}
