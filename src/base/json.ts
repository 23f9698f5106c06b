/** A JSON object, not an array and not null. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads JSON from UTF-8 bytes or text.
 * @returns the value, or `undefined` (which no JSON text means) when the bytes are not UTF-8 or the text is not JSON; a
 *   byte order mark is not JSON (RFC 8259 section 8.1)
 */
export function parseJson(json: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof json === 'string' ? json : UTF8.decode(json));
  } catch {
    return undefined;
  }
}
