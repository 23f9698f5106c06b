/** A member of an object in a JSON text. */
export interface JsonMember {
  /** 1 for the members of the document itself. */
  readonly depth: number;
  readonly name: string;
  /** Where its value begins in the text. */
  readonly valueAt: number;
  /** Whether the same object has a member of this name already; JSON.parse keeps the last one without a word. */
  readonly isDuplicate: boolean;
}

/** How deep objects and lists may stand in one another. RFC 8259 section 9 lets a reader set such a limit. */
const MAX_DEPTH = 64;

/** What gives a JSON text its structure; numbers, `true`, `false` and `null` do not. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;

/**
 * The members of every object in a JSON text, for what JSON.parse does not tell: names that are written twice, and numbers
 * beyond 2^53.
 * @param text must be JSON: what JSON.parse accepts
 * @throws RangeError when it is nested deeper than 64
 */
export function* jsonMembers(text: string): Generator<JsonMember> {
  // The names seen in each object that is open here; a list has none.
  const open: (Set<string> | undefined)[] = [];
  let before = '';
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (open.push(token === '{' ? new Set() : undefined) > MAX_DEPTH) throw new RangeError('nested too deeply');
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (token.startsWith('"') && before !== ':') {
      // A text in an object is a name, unless a colon stands before it. Two spellings of a name are one name.
      const names = open.at(-1);
      if (names !== undefined) {
        const name: string = JSON.parse(token);
        yield {
          depth: open.length,
          name,
          valueAt: skipColon(text, index + token.length),
          isDuplicate: names.has(name),
        };
        names.add(name);
      }
    }
    before = token;
  }
}

function skipColon(text: string, from: number): number {
  let at = from;
  while (/[\s:]/.test(text[at] ?? '')) at += 1;
  return at;
}
