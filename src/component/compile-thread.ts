import { Worker } from 'node:worker_threads';
import { SvidxError } from '../base/errors.ts';
import type { CompiledComponent, CompileOptions } from './compile.ts';
import { invalidComponent } from './invalid-component.ts';
import type { CompileOutcome, CompileRequest } from './messages.ts';

/**
 * Compiles a component in a thread of its own. The translator is WebAssembly itself, and a component that makes it panic
 * leaves it unusable: so each component has one to itself. The service goes on answering meanwhile.
 * @param signal ends the work
 * @throws SvidxError `component_invalid`, or the signal's reason
 */
export async function compileInThread(
  bytes: Uint8Array,
  options: CompileOptions,
  signal: AbortSignal,
): Promise<CompiledComponent> {
  signal.throwIfAborted();
  const request: CompileRequest = { bytes, options };
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
    const outcome = await new Promise<CompileOutcome>((resolve, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort);
      worker.once('message', resolve);
      worker.once('error', (error) =>
        reject(invalidComponent(error instanceof Error ? error.message : 'its thread failed')),
      );
      worker.once('exit', () => reject(invalidComponent('its thread ended')));
    });
    if ('compiled' in outcome) return outcome.compiled;
    const { code, message, detail } = outcome.error;
    throw new SvidxError(code, message, { detail });
  } finally {
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}

/** The worker's file: `.ts` where sources run as they are, `.js` in the packed build. */
function workerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './compile-worker.ts' : './compile-worker.js', import.meta.url);
}
