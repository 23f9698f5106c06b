import type { SvidxError } from '../base/errors.ts';
import type { ComponentThread } from './thread.ts';

/** Threads of one component, started on demand, used again while they are good. */
export interface ThreadPool {
  /** Runs `work` with a thread of its own, as soon as there is one; those who wait are served in order. */
  use<T>(work: (thread: ComponentThread) => Promise<T>): Promise<T>;
  /** Ends all threads. Work that runs or waits, and all that comes later, fails with `error`. */
  close(error: SvidxError): Promise<void>;
}

/** @param size how many threads there are at most at a time */
export function createThreadPool(size: number, start: () => ComponentThread): ThreadPool {
  const threads = new Set<ComponentThread>();
  const idle: ComponentThread[] = [];
  const waiting: { resolve(thread: ComponentThread): void; reject(error: unknown): void }[] = [];
  let closed: SvidxError | undefined;

  /** A thread for the next one, `undefined` while all are busy. */
  function free(): ComponentThread | undefined {
    for (let thread = idle.pop(); thread !== undefined; thread = idle.pop()) {
      if (thread.usable) return thread;
      // A thread may also end while it is idle.
      threads.delete(thread);
    }
    if (threads.size >= size) return undefined;
    const thread = start();
    threads.add(thread);
    return thread;
  }

  async function acquire(): Promise<ComponentThread> {
    if (closed !== undefined) throw closed;
    return free() ?? new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  }

  function release(thread: ComponentThread): void {
    if (thread.usable) idle.push(thread);
    else threads.delete(thread);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        const found = free();
        if (found === undefined) {
          waiting.unshift(next);
          return;
        }
        next.resolve(found);
      } catch (error) {
        next.reject(error);
      }
    }
  }

  return {
    async use(work) {
      const thread = await acquire();
      try {
        return await work(thread);
      } finally {
        if (closed === undefined) release(thread);
      }
    },
    async close(error) {
      closed ??= error;
      for (const { reject } of waiting.splice(0)) reject(closed);
      await Promise.all([...threads].map((thread) => thread.end(error)));
    },
  };
}
