import { abortable } from './abortable.ts';
import type { Clock } from './clock.ts';

export interface SingleFlightOptions {
  readonly clock: Clock;
  /** Milliseconds after which a flight is aborted. */
  readonly timeoutMs: number;
  /** The reason a flight gets when its time is up. */
  timeoutError(): Error;
  /** Told of each flight that failed, before its waiters are and before another one for its key can start. */
  onFailure?(key: string, error: unknown): void;
}

/** Work that is done once for everybody who wants it at the same time. */
export interface SingleFlight<V> {
  /** How many flights are under way. */
  readonly size: number;
  /** True while a flight for this key is under way. */
  has(key: string): boolean;
  /** The flight for this key that is under way, if there is one. */
  underWay(key: string): Promise<V> | undefined;
  /**
   * Starts the work for `key`, or joins the flight that is under way.
   *
   * A waiter's abort ends only its own wait: the flight goes on for the others. The flight has a time limit of its own.
   * @throws what the work throws, the timeout error, or the reason of the waiter's signal
   */
  run(key: string, work: (signal: AbortSignal) => Promise<V>, signal?: AbortSignal): Promise<V>;
}

export function createSingleFlight<V>(options: SingleFlightOptions): SingleFlight<V> {
  const flights = new Map<string, Promise<V>>();

  function start(key: string, work: (signal: AbortSignal) => Promise<V>): Promise<V> {
    const limit = new AbortController();
    let timer = { cancel: () => {} };
    const timedOut = new Promise<never>((_, reject) => {
      timer = options.clock.after(options.timeoutMs, () => {
        const reason = options.timeoutError();
        limit.abort(reason);
        reject(reason);
      });
    });
    const land = (): void => {
      timer.cancel();
      flights.delete(key);
    };
    // The race makes the limit hold also for work that does not listen to its signal.
    const flight = Promise.race([Promise.resolve().then(() => work(limit.signal)), timedOut]).then(
      (value) => {
        land();
        return value;
      },
      (error: unknown) => {
        land();
        options.onFailure?.(key, error);
        throw error;
      },
    );
    flights.set(key, flight);
    return flight;
  }

  return {
    get size() {
      return flights.size;
    },
    has: (key) => flights.has(key),
    underWay: (key) => flights.get(key),
    run(key, work, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      return abortable(flights.get(key) ?? start(key, work), signal);
    },
  };
}
