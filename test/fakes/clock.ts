import type { Clock, Timer } from '../../src/base/clock.ts';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export interface FakeClock extends Clock {
  /** How many timers wait. */
  readonly timers: number;
  /** Moves time on, calling what falls due on the way, each at its own time. Then lets pending promises run. */
  advance(ms: number): Promise<void>;
  /** Resolves once at least this many timers wait. */
  waitForTimers(count: number): Promise<void>;
}

/** @param start milliseconds since 1970 */
export function createFakeClock(start = Date.parse('2026-11-22T12:00:00Z')): FakeClock {
  let now = start;
  let order = 0;
  let waiters: { count: number; resolve: () => void }[] = [];
  const pending = new Set<Pending>();

  function due(until: number): Pending | undefined {
    return [...pending].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.order - b.order)[0];
  }

  return {
    get timers() {
      return pending.size;
    },
    now: () => now,
    after(ms, callback): Timer {
      order += 1;
      const entry = { at: now + ms, order, callback };
      pending.add(entry);
      waiters = waiters.filter(({ count, resolve }) => {
        if (pending.size < count) return true;
        resolve();
        return false;
      });
      return { cancel: () => pending.delete(entry) };
    },
    async advance(ms) {
      const until = now + ms;
      for (let next = due(until); next !== undefined; next = due(until)) {
        pending.delete(next);
        now = next.at;
        next.callback();
        await settle();
      }
      now = until;
      await settle();
    },
    waitForTimers(count) {
      if (pending.size >= count) return Promise.resolve();
      return new Promise((resolve) => waiters.push({ count, resolve }));
    },
  };
}

/** Lets promises that are ready run, and those that they make ready. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  await new Promise<void>((resolve) => setImmediate(resolve));
}
