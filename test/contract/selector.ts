/** A selector as it is on the wire, from its text form. */
export function selector(text: string): { readonly type: string; readonly value: string } {
  const colon = text.indexOf(':');
  return { type: text.slice(0, colon), value: text.slice(colon + 1) };
}
