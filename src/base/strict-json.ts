import { parseJson } from './json.ts';

/** How deep objects and lists may stand in one another. RFC 8259 section 9 lets a reader set such a limit. */
const MAX_DEPTH = 64;

/** What gives a JSON text its structure; numbers, `true`, `false` and `null` do not. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;

/**
 * Reads JSON that decides about trust, from UTF-8 bytes or text: each reader must read the same from it.
 * @returns the value, or `undefined` when the bytes are not UTF-8, the text is not JSON, an object at any depth has two
 *   members of one name (RFC 8259 section 4: readers then differ in which one they see), or it is nested deeper than 64
 */
export function parseStrictJson(json: Uint8Array | string): unknown {
  const value = parseJson(json);
  if (value === undefined) return undefined;
  const text = typeof json === 'string' ? json : Buffer.from(json).toString();
  return isUnambiguous(text) ? value : undefined;
}

/** @param text JSON, which is not checked again */
function isUnambiguous(text: string): boolean {
  // The names seen in each object that is open here; a list has none.
  const open: (Set<string> | undefined)[] = [];
  let before = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (open.push(token === '{' ? new Set() : undefined) > MAX_DEPTH) return false;
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (token.startsWith('"') && before !== ':') {
      // A text in an object is a name, unless a colon stands before it. Two spellings of a name are one name.
      const names = open.at(-1);
      const name = String(JSON.parse(token));
      if (names?.has(name)) return false;
      names?.add(name);
    }
    before = token;
  }
  return true;
}
