import type { IncomingBody } from 'wasi:http/types@0.2.12';
import { Failure, payloadOf } from './failure.ts';

const MAX_BYTES = 256 * 1024;

/**
 * The text of a body, waiting for all of it.
 * @param whose for whoever reads the failure
 * @throws Failure when it is longer than 256 KiB, or breaks off
 */
export function readText(body: IncomingBody, whose: 'request' | 'answer'): string {
  const stream = body.stream();
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  try {
    for (;;) {
      const chunk = read();
      if (chunk === undefined) return text + decoder.decode();
      size += chunk.byteLength;
      if (size > MAX_BYTES) {
        throw new Failure(whose === 'request' ? 413 : 502, whose, 'too-large', `it has more than ${MAX_BYTES} bytes`);
      }
      text += decoder.decode(chunk, { stream: true });
    }
  } finally {
    // In this order: a body that still has a stream cannot go.
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  }

  function read(): Uint8Array | undefined {
    try {
      return stream.blockingRead(65_536n);
    } catch (thrown) {
      if (payloadOf(thrown).tag === 'closed') return undefined;
      throw new Failure(502, whose, 'last-operation-failed', 'its body broke off');
    }
  }
}
