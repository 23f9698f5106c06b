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

/**
 * The members of every object in a JSON text, for what JSON.parse does not tell: names that are written twice, and numbers
 * beyond 2^53.
 * @param text must be JSON: what JSON.parse accepts
 */
export function* jsonMembers(text: string): Generator<JsonMember> {
  /** For each array or object that is open: the names so far, or `undefined` for an array. */
  const open: (Set<string> | undefined)[] = [];
  let isNameNext = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '{' || char === '[') open.push(char === '{' ? new Set() : undefined);
    else if (char === '}' || char === ']') open.pop();
    if (char === '{' || char === ',') isNameNext = open.at(-1) !== undefined;
    if (char !== '"') continue;
    const end = endOfString(text, at);
    const names = open.at(-1);
    if (isNameNext && names !== undefined) {
      const name: string = JSON.parse(text.slice(at, end));
      yield { depth: open.length, name, valueAt: skipColon(text, end), isDuplicate: names.has(name) };
      names.add(name);
      isNameNext = false;
    }
    at = end - 1;
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function skipColon(text: string, from: number): number {
  let at = from;
  while (/[\s:]/.test(text[at] ?? '')) at += 1;
  return at;
}
