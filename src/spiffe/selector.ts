/** A SPIRE selector: `wasmcloud:component:api-gateway` has the type `wasmcloud` and the value `component:api-gateway`. */
export interface Selector {
  readonly type: string;
  readonly value: string;
}

/**
 * Reads a selector's text form: what stands before the first colon is its type, the rest its value. Nothing is trimmed
 * or folded, since SPIRE compares selectors byte by byte.
 * @returns `undefined` when there is no colon, or nothing before or after it
 */
export function parseSelector(text: string): Selector | undefined {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1) return undefined;
  return { type: text.slice(0, colon), value: text.slice(colon + 1) };
}
