import type { Clock, Timer } from '../base/clock.ts';
import { createDeferred } from '../base/deferred.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import type { ComponentThread } from './thread.ts';

/** Threads of one component, started on demand, used again while they are good. */
export interface ThreadPool {
  /**
   * Resolves when there is a thread that can be used.
   * @throws SvidxError why there is none
   */
  ready(): Promise<void>;
  /**
   * Runs `work` with a thread of its own, as soon as there is one; those who wait are served in order.
   * @param signal takes a waiter out of the line
   * @throws SvidxError `component_busy` when the line is too long, or too slow; the signal's reason; what `work` throws
   */
  use<T>(work: (thread: ComponentThread) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Ends all threads. Work that runs or waits, and all that comes later, fails with `error`. */
  close(error: SvidxError): Promise<void>;
  /**
   * Takes no more work, which fails with `error`, lets what runs and waits finish, then ends all threads.
   * @param forWaiting what those fail with who wait, instead
   */
  retire(error: SvidxError, forWaiting?: SvidxError): Promise<void>;
}

export interface ThreadPoolOptions {
  /** How many threads there are at most at a time. */
  readonly size: number;
  /** How many may wait for one; and how long, in milliseconds. */
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
  readonly clock: Clock;
  start(): ComponentThread;
}

/** A thread that nobody used for so long is ended, but for the last. Milliseconds. */
const IDLE_MS = 60_000;

interface Waiter {
  resolve(thread: ComponentThread): void;
  reject(error: unknown): void;
}

export function createThreadPool(options: ThreadPoolOptions): ThreadPool {
  const { size, maxWaiting, maxWaitMs, clock, start } = options;
  const threads = new Set<ComponentThread>();
  const idle = new Map<ComponentThread, Timer>();
  const waiting = new Set<Waiter>();
  const drained = createDeferred<void>();
  let starting = 0;
  /** Set once no more work is taken. */
  let refusal: SvidxError | undefined;
  let over = false;

  /** An idle thread that is still good. The one used last first: others may be ended when there is little to do. */
  function takeIdle(): ComponentThread | undefined {
    for (const [thread, timer] of [...idle].toReversed()) {
      idle.delete(thread);
      timer.cancel();
      if (thread.usable) return thread;
      // A thread may also end while it is idle.
      threads.delete(thread);
    }
    return undefined;
  }

  function grow(): void {
    if (threads.size >= size || over) return;
    let thread: ComponentThread;
    try {
      thread = start();
    } catch (error) {
      failAll(error);
      return;
    }
    threads.add(thread);
    starting += 1;
    thread
      .ready()
      .then(
        () => offer(thread),
        (error: unknown) => {
          threads.delete(thread);
          // What cannot even start will not start for the next one either.
          if (threads.size === 0) failAll(error);
          settleDrain();
        },
      )
      .finally(() => {
        starting -= 1;
      });
  }

  /** Gives a thread to the first in line, or has it wait for the next. */
  function offer(thread: ComponentThread): void {
    if (!thread.usable) {
      threads.delete(thread);
      // One is always there, so that who comes next need not wait for its start.
      if (waiting.size > starting || (threads.size === 0 && refusal === undefined)) grow();
      settleDrain();
      return;
    }
    const [next] = waiting;
    if (next !== undefined) {
      waiting.delete(next);
      next.resolve(thread);
      return;
    }
    idle.set(
      thread,
      clock.after(IDLE_MS, () => {
        if (threads.size === 1) return;
        idle.delete(thread);
        threads.delete(thread);
        void thread.end(new SvidxError('service_stopping', 'the thread was idle'));
      }),
    );
    settleDrain();
  }

  function release(thread: ComponentThread): void {
    // While the next instance is made, those who wait are better served by another thread.
    void thread.ready().then(
      () => offer(thread),
      () => offer(thread),
    );
  }

  function failAll(error: unknown): void {
    const reason = toSvidxError(error);
    for (const { reject } of waiting) reject(reason);
    waiting.clear();
  }

  /** @param limitMs how long it may wait for one; as long as it takes where none is given */
  function acquire(signal: AbortSignal | undefined, limitMs?: number): Promise<ComponentThread> {
    if (refusal !== undefined) return Promise.reject(refusal);
    const found = takeIdle();
    if (found !== undefined) return Promise.resolve(found);
    if (waiting.size >= maxWaiting) return Promise.reject(busy());
    return new Promise((resolve, reject) => {
      const leave = (error: unknown): void => {
        waiting.delete(waiter);
        waiter.reject(error);
      };
      const abort = (): void => leave(signal?.reason);
      const timer = limitMs === undefined ? undefined : clock.after(limitMs, () => leave(busy()));
      const done = (): void => {
        timer?.cancel();
        signal?.removeEventListener('abort', abort);
      };
      const waiter: Waiter = {
        resolve(thread) {
          done();
          resolve(thread);
        },
        reject(error) {
          done();
          reject(error);
        },
      };
      waiting.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
      if (waiting.size > starting) grow();
    });
  }

  function settleDrain(): void {
    if (refusal !== undefined && waiting.size === 0 && idle.size === threads.size) drained.resolve(undefined);
  }

  async function endAll(error: SvidxError): Promise<void> {
    over = true;
    for (const timer of idle.values()) timer.cancel();
    failAll(error);
    await Promise.all([...threads].map((thread) => thread.end(error)));
    threads.clear();
    idle.clear();
    drained.resolve(undefined);
  }

  return {
    async ready() {
      release(await acquire(undefined));
    },
    async use(work, signal) {
      signal?.throwIfAborted();
      const thread = await acquire(signal, maxWaitMs);
      try {
        return await work(thread);
      } finally {
        release(thread);
      }
    },
    async close(error) {
      refusal ??= error;
      await endAll(error);
    },
    async retire(error, forWaiting) {
      refusal ??= error;
      if (forWaiting !== undefined) failAll(forWaiting);
      settleDrain();
      await drained.promise;
      await endAll(error);
    },
  };
}

function busy(): SvidxError {
  return new SvidxError('component_busy', 'all instances of the component are busy; try again later');
}
