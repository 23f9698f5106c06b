import { SvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';

/**
 * What is said of bytes that are no component that can run here.
 * @param reason for the log: it may quote what a translator says about the bytes
 */
export function invalidComponent(reason: string): SvidxError {
  return new SvidxError('component_invalid', 'not a valid WebAssembly component', { detail: scrub(reason) });
}
