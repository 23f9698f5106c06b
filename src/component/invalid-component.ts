import { SvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';

/**
 * What is said of bytes that are no component that can run here.
 * @param reason for the log: it may quote what a translator says about the bytes
 */
export function invalidComponent(reason: string): SvidxError {
  return new SvidxError('component_invalid', 'not a valid WebAssembly component', { detail: scrub(reason) });
}

/**
 * What is said of a component that only a host with asynchronous functions could run.
 * @param problem where it shows
 */
export function asynchronousComponent(problem: string): SvidxError {
  return new SvidxError(
    'component_invalid',
    `the component needs the asynchronous component model, which this host does not have: ${problem}`,
  );
}
