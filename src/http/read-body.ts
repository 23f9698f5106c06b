import type { IncomingMessage } from 'node:http';

/**
 * The bytes of the body of a request, or of an answer.
 *
 * A body that is too large is given up as soon as that is known, so that nobody waits for the rest of it; what still
 * arrives is dropped.
 * @returns `undefined` when it is larger than `maxBytes`
 * @throws what the connection fails with
 */
export async function readBody(message: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(message.headers['content-length'] ?? 0) > maxBytes) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early must not destroy a request: its connection is still needed for the answer.
  for await (const chunk of message.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes) break;
    chunks.push(bytes);
  }
  if (size <= maxBytes) return Buffer.concat(chunks);
  message.resume();
  return undefined;
}
