import { createArrivals } from '../support/arrivals.ts';
import { createFakeClock, type FakeClock } from './clock.ts';

/** A fake clock that tells which waits were asked of it. */
export interface RecordingClock extends FakeClock {
  /** The milliseconds of every timer that was started, in order. */
  readonly delays: readonly number[];
  /** The milliseconds of the next timer that is started, or was and has not been asked for. */
  nextDelay(): Promise<number>;
}

export function createRecordingClock(start?: number): RecordingClock {
  const clock = createFakeClock(start);
  const delays = createArrivals<number>();
  return {
    get timers() {
      return clock.timers;
    },
    now: clock.now,
    after(ms, callback) {
      const timer = clock.after(ms, callback);
      delays.push(ms);
      return timer;
    },
    advance: clock.advance,
    waitForTimers: clock.waitForTimers,
    delays: delays.all,
    nextDelay: delays.next,
  };
}
