import { Worker } from 'node:worker_threads';
import type { Clock } from '../base/clock.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';
import type { CompiledComponent } from './compile.ts';
import type { ImportOutcome } from './host-import.ts';
import type { FinishedCall, FromWorker, ToWorker, WorkerData } from './messages.ts';

export interface ComponentThreadOptions {
  readonly compiled: CompiledComponent;
  readonly remote: WorkerData['remote'];
  readonly clock: Clock;
  /** Milliseconds that one call may take. */
  readonly timeoutMs: number;
  /**
   * Answers what the component asks of the host. Never throws for what a component can cause; if it throws all the same,
   * the thread ends.
   */
  onImport(message: ImportRequest): Promise<ImportOutcome>;
}

export type ImportRequest = Extract<FromWorker, { type: 'import' }>;

/** A thread with one component in it, which runs one call at a time. */
export interface ComponentThread {
  /** False once a call trapped, ran out of time or was ended: then the thread is gone. */
  readonly usable: boolean;
  /**
   * Runs one call in a fresh instance.
   * @throws SvidxError `component_trapped`, `component_timed_out`, `component_export_unknown` for arguments that no
   *   component can take, or what `end` was given
   */
  run(name: string, args: readonly unknown[]): Promise<FinishedCall>;
  /** Ends the thread, whatever it is doing; a call under way fails with `error`. */
  end(error: SvidxError): Promise<void>;
}

/** The heap of the JavaScript around a component, in MiB. The component's own memory is not on it. */
const MAX_HEAP_MB = 256;

export function startComponentThread(options: ComponentThreadOptions): ComponentThread {
  const { compiled, remote, clock, timeoutMs } = options;
  const { source, modules, limits, memoryBytes } = compiled;
  const data: WorkerData = { source, cores: { modules, limits, memoryBytes }, remote };
  // No variables, no flags and no streams of the host: whatever the thread prints goes nowhere.
  const worker = new Worker(workerFile(), {
    workerData: data,
    env: {},
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  worker.stdout.resume();
  worker.stderr.resume();

  let ended: SvidxError | undefined;
  let current: { resolve(outcome: FinishedCall): void; reject(error: SvidxError): void } | undefined;

  function end(error: SvidxError): Promise<void> {
    ended ??= error;
    current?.reject(error);
    return worker.terminate().then(() => {});
  }

  async function answer(message: ImportRequest): Promise<void> {
    const outcome = await options.onImport(message);
    if (ended === undefined) post({ type: 'import-outcome', id: message.id, outcome });
  }

  function post(message: ToWorker): void {
    worker.postMessage(message);
  }

  worker.on('message', (message: FromWorker) => {
    if (message.type === 'import') answer(message).catch((error: unknown) => end(toSvidxError(error)));
    else if (message.outcome.type === 'trap') void end(trapped(message.outcome.message));
    else current?.resolve(message.outcome);
  });
  worker.on('error', (error) => void end(trapped(error instanceof Error ? error.message : 'its thread failed')));
  worker.on('exit', () => void end(trapped('its thread ended')));

  return {
    get usable() {
      return ended === undefined;
    },
    async run(name, args) {
      if (ended !== undefined) throw ended;
      const timer = clock.after(timeoutMs, () => {
        const message = `the component did not finish within ${timeoutMs / 1000} seconds and was ended`;
        void end(new SvidxError('component_timed_out', message));
      });
      worker.ref();
      try {
        return await new Promise<FinishedCall>((resolve, reject) => {
          current = { resolve, reject };
          post({ type: 'call', export: name, args });
        });
      } catch (error) {
        throw error instanceof SvidxError ? error : unfit(name);
      } finally {
        current = undefined;
        timer.cancel();
        // An idle thread does not keep the process alive.
        worker.unref();
      }
    },
    end,
  };
}

/** Functions, symbols and the like cannot even be sent to the thread. */
function unfit(name: string): SvidxError {
  return new SvidxError('component_export_unknown', `${name}: an argument is nothing that a component can take`);
}

function trapped(reason: string): SvidxError {
  return new SvidxError('component_trapped', `the component trapped: ${scrub(reason)}`);
}

/** The worker's file: `.ts` where sources run as they are, `.js` in the packed build. */
function workerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
}
