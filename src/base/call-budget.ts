import type { Clock, Timer } from './clock.ts';
import { createRateLimiter } from './rate-limiter.ts';

export interface CallBudgetOptions {
  readonly clock: Clock;
  /** How many calls begin in a second, and how many of them at once. At least 1. */
  readonly perSecond: number;
  /** How many calls are under way at the same time, of all together and of one caller. At least 1. */
  readonly maxRunning: number;
  readonly maxRunningOfOne: number;
  /** Milliseconds after which somebody who waits gives up. */
  readonly maxWaitMs: number;
  /** What they get then. */
  tooLongError(): Error;
}

/** How many calls one upstream is sent, shared fairly among those who call. See {@link createCallBudget}. */
export interface CallBudget {
  /** True while no call begins, since somebody asked for a pause. */
  readonly paused: boolean;
  /**
   * Runs `work` as soon as the budget allows.
   * @param who the caller, among whom turns go round
   * @param signal takes a waiter out of the line; it is nothing to work that has begun
   * @throws what `work` throws, the signal's reason, or `tooLongError`
   */
  run<T>(who: string, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Begins nothing for so many milliseconds, those in line included; it does not shorten a pause that is there. */
  pause(ms: number): void;
}

/**
 * A budget of calls: so many a second, and so many at the same time.
 *
 * What is beyond it waits, each caller in a line of its own, and the lines take turns: whoever asks for much waits for
 * itself, and hardly delays one who asks for little. Nor can the calls of one that never end take every place.
 */
export function createCallBudget(options: CallBudgetOptions): CallBudget {
  const { clock, maxRunning, maxRunningOfOne, maxWaitMs } = options;
  const rate = createRateLimiter({ perSecond: options.perSecond, maxClients: 1 });
  /** Those who wait. Maps and Sets iterate in insertion order, and a line that had its turn is inserted anew. */
  const lines = new Map<string, Set<() => void>>();
  const running = new Map<string, number>();
  let total = 0;
  let refill: Timer | undefined;
  let pause: Timer | undefined;

  function nextLine(): [string, Set<() => void>] | undefined {
    if (total >= maxRunning) return undefined;
    for (const line of lines) if ((running.get(line[0]) ?? 0) < maxRunningOfOne) return line;
    return undefined;
  }

  /** Begins what may begin; comes again by itself when there is budget for more. */
  function serve(): void {
    if (pause !== undefined || refill !== undefined) return;
    for (let line = nextLine(); line !== undefined; line = nextLine()) {
      const waitMs = rate.take('', clock.now());
      if (waitMs > 0) {
        refill = clock.after(Math.ceil(waitMs), () => {
          refill = undefined;
          serve();
        });
        return;
      }
      const [who, waiters] = line;
      const [begin] = waiters;
      if (begin === undefined) return;
      leave(who, begin);
      if (lines.delete(who)) lines.set(who, waiters);
      total += 1;
      running.set(who, (running.get(who) ?? 0) + 1);
      begin();
    }
  }

  function leave(who: string, begin: () => void): void {
    const waiters = lines.get(who);
    waiters?.delete(begin);
    if (waiters?.size === 0) lines.delete(who);
    if (lines.size > 0) return;
    refill?.cancel();
    refill = undefined;
  }

  function turn(who: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      let patience: Timer | undefined;
      let begun = false;
      const settle = (): void => {
        patience?.cancel();
        signal.removeEventListener('abort', onAbort);
      };
      const begin = (): void => {
        begun = true;
        settle();
        resolve();
      };
      const giveUp = (reason: unknown): void => {
        settle();
        leave(who, begin);
        reject(reason);
      };
      const onAbort = (): void => giveUp(signal.reason);

      const line = lines.get(who) ?? new Set();
      lines.set(who, line.add(begin));
      serve();
      if (begun) return;
      signal.addEventListener('abort', onAbort, { once: true });
      patience = clock.after(maxWaitMs, () => giveUp(options.tooLongError()));
    });
  }

  function done(who: string): void {
    total -= 1;
    const others = (running.get(who) ?? 1) - 1;
    if (others === 0) running.delete(who);
    else running.set(who, others);
    serve();
  }

  return {
    get paused() {
      return pause !== undefined;
    },
    async run(who, work, signal) {
      await turn(who, signal);
      try {
        return await work();
      } finally {
        done(who);
      }
    },
    pause(ms) {
      // By a timer, so that a clock that is set back makes no pause longer.
      pause ??= clock.after(ms, () => {
        pause = undefined;
        serve();
      });
    },
  };
}
