import { Worker } from 'node:worker_threads';
import { type ErrorCode, SvidxError } from '../base/errors.ts';
import { invalidComponent } from './invalid-component.ts';
import type { TranslatedComponent, TranslateOptions } from './translate.ts';

/** What the thread is given when it starts. */
export interface TranslateRequest {
  readonly bytes: Uint8Array;
  readonly options: TranslateOptions;
}

/** The one message that it sends. */
export type TranslateOutcome =
  | { readonly translated: TranslatedComponent }
  /** The parts of a `SvidxError`, since an error loses its class on the way. */
  | { readonly error: { readonly code: ErrorCode; readonly message: string; readonly detail: string | undefined } };

/**
 * Translates a component in a thread of its own. The translator is WebAssembly itself, and a component that makes it panic
 * leaves it unusable: so each component has one to itself. The service goes on answering meanwhile.
 * @param signal ends the work
 * @throws SvidxError `component_invalid`, or the signal's reason
 */
export async function translateInThread(
  bytes: Uint8Array,
  options: TranslateOptions,
  signal: AbortSignal,
): Promise<TranslatedComponent> {
  signal.throwIfAborted();
  const request: TranslateRequest = { bytes, options };
  const worker = new Worker(workerFile(), {
    workerData: request,
    env: {},
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
  });
  // What a panic prints goes nowhere.
  worker.stdout.resume();
  worker.stderr.resume();
  let abort = (): void => {};
  try {
    const outcome = await new Promise<TranslateOutcome>((resolve, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort);
      worker.once('message', resolve);
      worker.once('error', (error) =>
        reject(invalidComponent(error instanceof Error ? error.message : 'its thread failed')),
      );
      worker.once('exit', () => reject(invalidComponent('its thread ended')));
    });
    if ('translated' in outcome) return outcome.translated;
    const { code, message, detail } = outcome.error;
    throw new SvidxError(code, message, { detail });
  } finally {
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}

/** The worker's file: `.ts` where sources run as they are, `.js` in the packed build. */
function workerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './translate-worker.ts' : './translate-worker.js', import.meta.url);
}
