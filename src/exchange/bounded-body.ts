/**
 * Reads a response body that must be short: one that goes on and on is given up, so that no answer can fill the memory.
 * @param maxBytes how much is read at most
 * @returns a function that reads one body; it throws, and ends the connection, when the body is longer
 */
export function boundedBody(maxBytes: number): (body: AsyncIterable<Uint8Array>) => Promise<Buffer> {
  return async (body) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      // Leaving the loop destroys the stream.
      if (size > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  };
}
