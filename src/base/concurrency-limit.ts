/** Lets only so much of one kind of work run at the same time; the rest waits in line. */
export interface ConcurrencyLimit {
  /** How much is waiting. */
  readonly waiting: number;
  /**
   * Runs `work` as soon as there is room, in the order of asking.
   * @param signal takes a waiter out of the line; it is nothing to work that has begun
   * @throws what `work` throws, or the signal's reason
   */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** @param max how much may run at the same time; 1 or more */
export function createConcurrencyLimit(max: number): ConcurrencyLimit {
  // A Set iterates in insertion order, and lets go of one in the middle at no cost.
  const line = new Set<() => void>();
  let running = 0;

  function turn(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (running < max) {
      running += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        line.delete(enter);
        reject(signal.reason);
      };
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      line.add(enter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Gives the place to the first in line, so that nobody who comes now slips in between. */
  function done(): void {
    const [next] = line;
    if (next === undefined) {
      running -= 1;
      return;
    }
    line.delete(next);
    next();
  }

  return {
    get waiting() {
      return line.size;
    },
    async run(work, signal) {
      await turn(signal);
      try {
        return await work();
      } finally {
        done();
      }
    },
  };
}
