import type { Secret } from '../../base/secret.ts';
import { EgressError } from './error-code.ts';
import type { Fields, IncomingResponse } from './outgoing-request.ts';

/**
 * An answer that ends where it would bring injected credentials back to the component.
 *
 * Far sides do that: debug endpoints show the request, Vault tells a token about itself, AWS shows what it would have signed.
 * Looked for are the secrets as they were sent, percent-encoded, and as JSON may have them, and the longest part of each that no
 * escaping in URLs, JSON or HTML changes, in UTF-16 too; not what is compressed, encrypted or encoded otherwise. A far side that wants the component to have them has its ways, and is given them by the operator's policy.
 *
 * Bytes are held back only while they may be the beginning of a secret.
 */
export function withoutEcho(response: IncomingResponse, secrets: readonly Secret[]): IncomingResponse {
  const patterns = patternsOf(secrets);
  checkFields(response.headers, patterns);
  return {
    status: response.status,
    headers: response.headers,
    body: guarded(response.body, patterns),
    async trailers() {
      const trailers = await response.trailers();
      if (trailers !== undefined) checkFields(trailers, patterns);
      return trailers;
    },
  };
}

async function* guarded(
  body: AsyncIterable<Uint8Array>,
  patterns: readonly Buffer[],
): AsyncGenerator<Uint8Array, void> {
  let held: Uint8Array = new Uint8Array();
  for await (const chunk of body) {
    const bytes = held.length === 0 ? asBuffer(chunk) : Buffer.concat([held, chunk]);
    check(bytes, patterns);
    const clear = bytes.length - Math.max(...patterns.map((pattern) => begun(bytes, pattern)));
    held = bytes.subarray(clear);
    if (clear > 0) yield bytes.subarray(0, clear);
  }
  if (held.length > 0) yield held;
}

/** How many bytes at the end of `bytes` may be the beginning of `pattern`; 0 for none. */
function begun(bytes: Buffer, pattern: Buffer): number {
  let start = Math.max(0, bytes.length - pattern.length + 1);
  for (;;) {
    start = bytes.indexOf(pattern.subarray(0, 1), start);
    if (start === -1) return 0;
    if (bytes.subarray(start).equals(pattern.subarray(0, bytes.length - start))) return bytes.length - start;
    start += 1;
  }
}

function checkFields(fields: Fields, patterns: readonly Buffer[]): void {
  for (const [name, value] of fields) {
    check(asBuffer(value), patterns);
    check(Buffer.from(name), patterns);
  }
}

function check(bytes: Buffer, patterns: readonly Buffer[]): void {
  if (!patterns.some((pattern) => bytes.includes(pattern))) return;
  const reason = 'the answer has the injected credentials in it';
  throw new EgressError({ tag: 'internal-error', val: reason }, reason);
}

function patternsOf(secrets: readonly Secret[]): Buffer[] {
  const texts = secrets.map((secret) => secret.reveal()).filter((text) => text !== '');
  const parts = texts.flatMap(plainParts);
  const written = texts.flatMap((text) => [
    text,
    encodeURIComponent(text),
    text.replaceAll('/', '\\/'),
    text.replaceAll('+', '\\u002B'),
  ]);
  return [...[...new Set([...written, ...parts])].map((text) => Buffer.from(text)), ...parts.map(utf16)];
}

/** As many characters as nobody guesses, and no text has by chance. */
const MIN_PLAIN_PART = 16;

/** The longest part that is written the same everywhere; none where that could be found in what is no secret. */
function plainParts(text: string): string[] {
  const parts = text.match(/[A-Za-z0-9._-]+/g) ?? [];
  const [longest = ''] = parts.toSorted((a, b) => b.length - a.length);
  return longest.length < MIN_PLAIN_PART ? [] : [longest];
}

/** Without its last byte, a zero, it is the same in both byte orders. */
function utf16(text: string): Buffer {
  return Buffer.from(text, 'utf16le').subarray(0, -1);
}

/** The same bytes, not copied. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
