import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../base/clock.ts';
import { createDeferred, type Deferred } from '../base/deferred.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';
import type { CompiledComponent } from './compile.ts';
import { type ComponentHandlers, createHostSide, type HttpJob } from './host-side.ts';
import {
  type FinishedCall,
  type FromWorker,
  type FromWorkerBatch,
  HANDLED,
  type Job,
  SENT,
  type ToWorker,
  type WorkerData,
} from './messages.ts';

export interface ComponentThreadOptions {
  readonly compiled: CompiledComponent;
  readonly remote: WorkerData['remote'];
  readonly handlers: ComponentHandlers;
  readonly clock: Clock;
  /** Milliseconds that one job may take, and that a new instance may take to be there. */
  readonly timeoutMs: number;
}

export type ThreadJob = Exclude<Job, { kind: 'http' }> | HttpJob;

/** A thread with one component in it, which runs one job at a time, each in an instance of its own. */
export interface ComponentThread {
  /** False once a job trapped, ran out of time or was ended: then the thread is gone. */
  readonly usable: boolean;
  /**
   * Resolves when an instance is there that nobody has used.
   * @throws SvidxError `component_trapped`, `component_timed_out`, or what `end` was given
   */
  ready(): Promise<void>;
  /**
   * @param signal says that nobody wants the answer any more: the component is ended when it next asks for something, or
   *   after a moment in any case
   * @throws SvidxError `component_trapped`, `component_timed_out`, `component_export_unknown` for arguments that no
   *   component can take, or what `end` was given
   */
  run(job: ThreadJob, signal?: AbortSignal): Promise<FinishedCall>;
  /** Ends the thread, whatever it is doing; a job under way fails with `error`. */
  end(error: SvidxError): Promise<void>;
}

/** The heap of the JavaScript around a component, in MiB. The component's own memory is not on it. */
const MAX_HEAP_MB = 256;

/** How long the thread itself may take to start, on a machine that is busy. Milliseconds. */
const START_MS = 10_000;

/** How long a component whose answer nobody wants may go on without asking for anything. Milliseconds. */
const CANCEL_GRACE_MS = 1_000;

export function startComponentThread(options: ComponentThreadOptions): ComponentThread {
  const { compiled, remote, handlers, clock, timeoutMs } = options;
  const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const counters = new Int32Array(shared);
  const data: WorkerData = { source: compiled.source, cores: coresOf(compiled), remote, counters: shared };
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
  let jobs = 0;
  let lastId = -1;
  let current: { settle(outcome: FinishedCall): void; reject(error: SvidxError): void } | undefined;
  // One of each for every instance: it may ask for something before it has a job, while it is made.
  let side = createHostSide(handlers, post, nextId);
  let arrival = waitForInstance(START_MS + timeoutMs);

  function nextId(): number {
    lastId += 2;
    return lastId;
  }

  function post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    if (ended !== undefined) return;
    worker.postMessage(message, transfer);
    // The thread may be asleep: it counts what was sent.
    count(SENT);
  }

  function count(index: typeof SENT | typeof HANDLED): void {
    Atomics.add(counters, index, 1);
    Atomics.notify(counters, index);
  }

  function limit(ms: number): Timer {
    return clock.after(ms, () => {
      const message = `the component did not finish within ${ms / 1000} seconds and was ended`;
      void end(new SvidxError('component_timed_out', message));
    });
  }

  function waitForInstance(limitMs: number): Deferred<void> {
    const deferred = createDeferred<void>();
    const timer = limit(limitMs);
    const settled = (): void => {
      timer.cancel();
      // An idle thread does not keep the process alive.
      if (current === undefined && ended === undefined) worker.unref();
    };
    deferred.promise.then(settled, settled);
    return deferred;
  }

  function end(error: SvidxError): Promise<void> {
    ended ??= error;
    arrival.reject(ended);
    current?.reject(ended);
    side.close();
    // Its end is waited for, also by a process that has nothing else to do.
    worker.ref();
    return worker.terminate().then(() => {});
  }

  function finish(outcome: FinishedCall): void {
    side.close();
    side = createHostSide(handlers, post, nextId);
    arrival = waitForInstance(timeoutMs);
    current?.settle(outcome);
  }

  function handle(message: FromWorker): void {
    // What it had sent before it was ended may still come in.
    if (ended !== undefined) return;
    if (message.type === 'ready') arrival.resolve(undefined);
    else if (message.type !== 'outcome') side.receive(message, fail);
    else if (message.outcome.type === 'trap') void end(trapped(message.outcome.message));
    else finish(message.outcome);
  }

  /** A defect of ours costs this thread, not the process. */
  function fail(error: unknown): void {
    void end(toSvidxError(error));
  }

  worker.on('message', (batch: FromWorkerBatch) => {
    try {
      for (const message of batch) handle(message);
    } catch (error) {
      fail(error);
    } finally {
      count(HANDLED);
    }
  });
  worker.on('error', (error) => void end(trapped(error instanceof Error ? error.message : 'its thread failed')));
  worker.on('exit', () => void end(trapped('its thread ended')));

  return {
    get usable() {
      return ended === undefined;
    },
    ready: () => arrival.promise,
    async run(job, signal) {
      if (ended !== undefined) throw ended;
      jobs += 1;
      const id = jobs;
      const timer = limit(timeoutMs);
      let grace: Timer | undefined;
      const cancel = (): void => {
        post({ type: 'cancel', job: id });
        grace = clock.after(CANCEL_GRACE_MS, () => void end(cancelled()));
      };
      worker.ref();
      try {
        return await new Promise<FinishedCall>((settle, reject) => {
          current = { settle, reject };
          post({ type: 'job', id, job: job.kind === 'http' ? side.start(job) : job });
          if (signal?.aborted) cancel();
          else signal?.addEventListener('abort', cancel, { once: true });
        });
      } catch (error) {
        throw error instanceof SvidxError ? error : unfit(job);
      } finally {
        current = undefined;
        signal?.removeEventListener('abort', cancel);
        timer.cancel();
        grace?.cancel();
        // An idle thread does not keep the process alive.
        if (ended === undefined) worker.unref();
      }
    },
    end,
  };
}

/** What of it a thread needs; the rest would be copied for nothing. */
function coresOf({ modules, limits, memoryBytes }: CompiledComponent): WorkerData['cores'] {
  return { modules, limits, memoryBytes };
}

/** Functions, symbols and the like cannot even be sent to the thread. */
function unfit(job: ThreadJob): SvidxError {
  const name = job.kind === 'function' ? job.name : job.kind;
  return new SvidxError('component_export_unknown', `${name}: an argument is nothing that a component can take`);
}

function trapped(reason: string): SvidxError {
  return new SvidxError('component_trapped', `the component trapped: ${scrub(reason)}`);
}

function cancelled(): SvidxError {
  return new SvidxError('component_timed_out', 'nobody waits for the answer any more, and the component was ended');
}

/** The worker's file: `.ts` where sources run as they are, `.js` in the packed build. */
function workerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
}
