import { type Clock, systemClock } from '../../src/base/clock.ts';
import { REQUEST_TIMEOUT_MS } from '../../src/exchange/http-client.ts';

/** Real time, in which the waits between attempts take none. */
export interface ImpatientClock extends Clock {
  /** Their milliseconds. */
  readonly waits: number[];
}

export function impatientClock(): ImpatientClock {
  const waits: number[] = [];
  return {
    waits,
    now: systemClock.now,
    after(ms, callback) {
      if (ms === REQUEST_TIMEOUT_MS) return systemClock.after(ms, callback);
      waits.push(ms);
      return systemClock.after(0, callback);
    },
  };
}
