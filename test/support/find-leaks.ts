/** So many characters of a secret in a row are no accident: in base64 they are 144 bits. */
const SLICE = 24;

/** The three parts of a token in compact form. The header says nothing that is not published; the others count. */
const TOKEN = /^[\w-]+\.([\w-]+)\.([\w-]+)$/;

/** How often a text is decoded: twice finds what was put, say, as base64 into a JSON text. */
const DEPTH = 2;

/**
 * The ways in which a secret may be written down by code that does not know it holds one. Each gives the text with
 * everything decoded that looks written so. It is the text that is decoded, not the secrets encoded: what a base64 text
 * looks like depends on what stands before it.
 */
const DECODERS: Readonly<Record<string, (text: string) => string>> = {
  'JSON escapes': (text) =>
    text
      .replace(/\\u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/\\[nrtbf]/g, ' ')
      .replace(/\\(.)/g, '$1'),
  'percent-encoding': (text) =>
    text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  'line breaks': (text) => text.replace(/\s+/g, ''),
  base64: (text) =>
    [...text.matchAll(/[\w+/-]{22,}/g)]
      .flatMap(([run]) => [0, 1, 2, 3].map((start) => Buffer.from(run.slice(start), 'base64').toString('latin1')))
      .join('\n'),
  // With or without spaces and colons, as `<Buffer 65 79 4a>` and fingerprints have them.
  hex: (text) =>
    [...text.matchAll(/(?:[0-9a-f]{2}[ :]?){16,}/gi)]
      .map(([run]) => run.replace(/[ :]/g, ''))
      .flatMap((run) => [run, run.slice(1)])
      .map((run) => Buffer.from(run, 'hex').toString('latin1'))
      .join('\n'),
  // A byte array in JSON or from `util.inspect`.
  'a list of bytes': (text) =>
    [...text.matchAll(/(?:\d{1,3},\s*){15,}\d{1,3}/g)]
      .map(([run]) => Buffer.from(run.split(',').map(Number)).toString('latin1'))
      .join('\n'),
};

/**
 * What of the secrets is in the text.
 *
 * Of a token that is its payload and its signature (not its header), of anything else all of it; and of each of these any
 * 24 characters in a row. They count as they are, escaped for JSON, percent-encoded, broken over lines, in base64, in
 * hexadecimal or as a list of bytes, one in the other included; and a secret that is base64 itself also as its bytes.
 * @returns a line for each find, with its beginning only; none when all is well
 */
export function findLeaks(text: string, secrets: Iterable<string>): string[] {
  const slices = new Map<string, string>();
  const short = new Map<string, string>();
  for (const part of [...secrets].flatMap(secretParts)) {
    for (const needle of needlesOf(part)) {
      if (needle.length < SLICE) short.set(needle, part);
      for (let at = 0; at + SLICE <= needle.length; at += 1) slices.set(needle.slice(at, at + SLICE), part);
    }
  }
  const found = new Map<string, string>();
  search(text, 'as it is', DEPTH);
  return [...found].map(([part, form]) => `${part.slice(0, 6)}..., ${form}`);

  function search(shown: string, form: string, depth: number): void {
    for (const [needle, part] of short) if (shown.includes(needle)) note(part, form);
    for (let at = 0; at + SLICE <= shown.length; at += 1) {
      const part = slices.get(shown.slice(at, at + SLICE));
      if (part !== undefined) note(part, form);
    }
    if (depth === 0) return;
    for (const [name, decode] of Object.entries(DECODERS)) {
      const decoded = decode(shown);
      if (decoded !== shown && decoded !== '') search(decoded, `${form}, ${name}`, depth - 1);
    }
  }

  /** The first form that something is found in is the plainest. */
  function note(part: string, form: string): void {
    if (!found.has(part)) found.set(part, form);
  }
}

function secretParts(secret: string): string[] {
  const [, payload, signature] = TOKEN.exec(secret) ?? [];
  return payload === undefined || signature === undefined ? [secret] : [payload, signature];
}

/** The text, and where it is the base64 of something unreadable that too. (A payload's are the claims: names.) */
function needlesOf(part: string): string[] {
  return part.length < SLICE || part.startsWith('eyJ') ? [part] : [part, bytesOf(part)];
}

function bytesOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1');
}
