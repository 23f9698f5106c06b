import type { IncomingMessage } from 'node:http';

/**
 * The bytes of the body of a request, or of an answer.
 *
 * A body that is too large is given up as soon as that is known, so that nobody waits for the rest of it; what still
 * arrives is dropped, and the connection stays good for the answer.
 * @returns `undefined` when it is larger than `maxBytes`
 * @throws what the connection fails with
 */
export async function readBody(message: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(message.headers['content-length'] ?? 0) > maxBytes) return undefined;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      resolve(undefined);
    });
    message.on('end', () => resolve(Buffer.concat(chunks)));
    message.on('error', reject);
    // After an end, or an error, this says nothing new.
    message.on('close', () => reject(new Error('the body broke off')));
  });
}
