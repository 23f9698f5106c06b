import type { Selector } from '../spiffe/selector.ts';

/** `sha256:` and 64 hexadecimal digits in lower case. */
export const DIGEST = /^sha256:[0-9a-f]{64}$/;

const TYPE = 'wasm';
const PREFIX = 'digest:';

/**
 * The selector that names the bytes of a component to SPIRE: `wasm:digest:sha256:...`.
 * @param digest as the host has computed it from the bytes that run
 */
export function digestSelector(digest: string): Selector {
  return Object.freeze({ type: TYPE, value: `${PREFIX}${digest}` });
}

/** Whether this selector says what bytes run. */
export function isDigestSelector({ type, value }: Selector): boolean {
  return type === TYPE && value.startsWith(PREFIX);
}
