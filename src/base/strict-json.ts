import { parseJson } from './json.ts';
import { jsonMembers } from './json-members.ts';

/**
 * Reads JSON that decides about trust, from UTF-8 bytes or text: each reader must read the same from it.
 * @returns the value, or `undefined` when the bytes are not UTF-8, the text is not JSON, an object at any depth has two
 *   members of one name (RFC 8259 section 4: readers then differ in which one they see), or it is nested deeper than 64
 */
export function parseStrictJson(json: Uint8Array | string): unknown {
  const value = parseJson(json);
  if (value === undefined) return undefined;
  const text = typeof json === 'string' ? json : Buffer.from(json).toString();
  try {
    for (const { isDuplicate } of jsonMembers(text)) {
      if (isDuplicate) return undefined;
    }
  } catch {
    return undefined;
  }
  return value;
}
