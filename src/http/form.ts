const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The fields of a form: each name with its values, in their order. */
export type Form = ReadonlyMap<string, readonly string[]>;

/**
 * Reads `application/x-www-form-urlencoded` (URL standard section 5.1), in UTF-8 to the letter, so that no two texts are
 * read as one. The standard itself mends what is malformed: `%zz` stands for itself there, and wrong bytes become U+FFFD.
 * @returns `undefined` when the bytes, or what percent signs stand for, are not UTF-8, or a percent sign stands for nothing
 */
export function parseForm(body: Uint8Array): Form | undefined {
  const form = new Map<string, string[]>();
  try {
    for (const field of UTF8.decode(body).split('&')) {
      if (field === '') continue;
      const equals = field.indexOf('=');
      const name = decode(equals === -1 ? field : field.slice(0, equals));
      const value = equals === -1 ? '' : decode(field.slice(equals + 1));
      const values = form.get(name);
      if (values === undefined) form.set(name, [value]);
      else values.push(value);
    }
  } catch {
    return undefined;
  }
  return form;
}

/** @throws URIError where a percent sign is not followed by two hexadecimal digits, or those are not UTF-8 */
function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
