import { type Backoff, backoffDelay } from './backoff.ts';
import type { Clock } from './clock.ts';
import { createSingleFlight } from './single-flight.ts';

/** Until when a value serves, both in milliseconds since 1970. */
export interface Lifetime {
  /** Up to here the value is handed out and nothing else happens. */
  readonly freshUntil: number;
  /** Up to here it is still handed out, while a newer one is fetched behind. From here on, never. */
  readonly usableUntil: number;
}

export interface ExpiringCacheOptions<V> {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  /** How many keys are held; beyond that the one unused for longest goes. */
  readonly maxEntries: number;
  /** How many refreshes run behind values in use at the same time; loads that somebody waits for are not counted. */
  readonly maxRefreshes: number;
  /** Milliseconds that one load may take. */
  readonly loadTimeoutMs: number;
  /** What a waiter gets when a load takes longer. */
  timeoutError(): Error;
  /** How long a value that arrived at `arrivedAt` serves. */
  lifetime(value: V, arrivedAt: number): Lifetime;
  /** For how many milliseconds this failure is remembered instead of asking again; 0 for not at all. */
  rememberFailureMs(error: unknown): number;
  /** Told of each load that failed while a usable value was in hand. That value stays in use. */
  onRefreshFailed?(key: string, error: unknown): void;
}

/**
 * A bounded cache of values that expire. See {@link createExpiringCache}.
 */
export interface ExpiringCache<V> {
  /** How many values are held. */
  readonly size: number;
  /**
   * The value for `key`: from memory while it is usable, otherwise from `load`, which runs once however many ask.
   * @param load must be able to run later too, for a refresh in the background; its signal is aborted when time is up, and
   *   `previous` is the value in hand that it renews, where there is one
   * @param signal ends this caller's wait, never the load that others may be waiting for
   * @throws what `load` throws; never while a usable value is in hand
   */
  get(key: string, load: Loader<V>, signal?: AbortSignal): Promise<V>;
  /** The load for this key that is under way, if there is one: a newer value than the one in hand, if it succeeds. */
  underWay(key: string): Promise<V> | undefined;
  /** Makes the next use of this value start a refresh behind it, however fresh it is. The value itself stays in use. */
  renew(key: string): void;
}

type Loader<V> = (signal: AbortSignal, previous: V | undefined) => Promise<V>;

interface Entry<V> {
  readonly value: V;
  readonly usableUntil: number;
  /** From when on the use of the value starts a refresh behind it: the end of its fresh time, or later after a failure. */
  refreshAt: number;
  failedRefreshes: number;
}

interface Failure {
  readonly error: unknown;
  readonly until: number;
}

/** The waits between failing background refreshes of one key. */
const REFRESH_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/**
 * How much of the fresh time is shaved off at random, so that values that came together are not renewed together: 10,000
 * that are fresh for 150 seconds then ask for a newer one over 30 seconds, 333 in a second.
 */
const FRESH_JITTER = 0.2;

/** A refresh that returns a value hardly newer than the last is not repeated sooner than this (milliseconds). */
const MIN_REFRESH_INTERVAL_MS = 1_000;

/**
 * The only cache of this project: keyed, bounded, one load per key at a time, refreshing behind what is in use.
 *
 * - A fresh value is handed out. A usable one that is no longer fresh is handed out as well, and its use starts a
 *   refresh in the background; so what is in use is renewed ahead of its end, and what is idle is left to expire.
 * - A failed refresh never costs the value in hand; it is tried again, with a growing wait, when the value is next used.
 * - However many values grow old at the same time, only so many are refreshed at the same time.
 * - Failures for which `rememberFailureMs` says so are answered from memory for that long.
 */
export function createExpiringCache<V>(options: ExpiringCacheOptions<V>): ExpiringCache<V> {
  const { clock, random } = options;
  // A Map iterates in insertion order, and entries are re-inserted on use: the first is the one unused for longest.
  const entries = new Map<string, Entry<V>>();
  const failures = new Map<string, Failure>();
  let refreshes = 0;
  const flights = createSingleFlight<V>({
    clock,
    timeoutMs: options.loadTimeoutMs,
    timeoutError: options.timeoutError,
    onFailure: failed,
  });

  function store(key: string, value: V): void {
    const now = clock.now();
    const { freshUntil, usableUntil } = options.lifetime(value, now);
    failures.delete(key);
    if (usableUntil <= now) {
      // Brought nothing usable: the next attempt waits as it would after a failure.
      const entry = usableEntry(key, now);
      if (entry !== undefined) postponeRefresh(entry, now);
      return;
    }
    const freshFor = (freshUntil - now) * (1 - FRESH_JITTER * random());
    const refreshAt = now + Math.max(freshFor, MIN_REFRESH_INTERVAL_MS);
    entries.delete(key);
    entries.set(key, { value, usableUntil, refreshAt, failedRefreshes: 0 });
    evict(now);
  }

  function evict(now: number): void {
    for (const [key, entry] of entries) {
      if (entries.size <= options.maxEntries && entry.usableUntil > now) break;
      entries.delete(key);
    }
    for (const [key, failure] of failures) {
      if (failures.size <= options.maxEntries && failure.until > now) break;
      failures.delete(key);
    }
  }

  function load(key: string, loader: Loader<V>, signal?: AbortSignal): Promise<V> {
    return flights.run(
      key,
      async (flightSignal) => {
        const value = await loader(flightSignal, usableEntry(key, clock.now())?.value);
        if (!flightSignal.aborted) store(key, value);
        return value;
      },
      signal,
    );
  }

  /**
   * Loads behind the value in hand. Where too many do so already, nothing happens: the value is still usable, and its
   * next use comes here again.
   */
  function refresh(key: string, loader: Loader<V>): void {
    if (refreshes >= options.maxRefreshes) return;
    refreshes += 1;
    const done = (): void => {
      refreshes -= 1;
    };
    // What the refresh brings is stored, and its failure dealt with, whoever listens.
    load(key, loader).then(done, done);
  }

  function usableEntry(key: string, now: number): Entry<V> | undefined {
    const entry = entries.get(key);
    return entry !== undefined && now < entry.usableUntil ? entry : undefined;
  }

  function postponeRefresh(entry: Entry<V>, now: number): void {
    entry.refreshAt = now + backoffDelay(entry.failedRefreshes, REFRESH_BACKOFF, random);
    entry.failedRefreshes += 1;
  }

  /** Deals with a failed load once for all its waiters, those that gave up included. */
  function failed(key: string, error: unknown): void {
    const now = clock.now();
    const entry = usableEntry(key, now);
    if (entry === undefined) {
      remember(key, error, now);
      return;
    }
    postponeRefresh(entry, now);
    options.onRefreshFailed?.(key, error);
  }

  function remember(key: string, error: unknown, now: number): void {
    const ms = options.rememberFailureMs(error);
    if (ms <= 0) return;
    failures.delete(key);
    failures.set(key, { error, until: now + ms });
    evict(now);
  }

  return {
    get size() {
      return entries.size;
    },

    async get(key, loader, signal) {
      const now = clock.now();
      const entry = usableEntry(key, now);
      if (entry !== undefined) {
        entries.delete(key);
        entries.set(key, entry);
        if (now >= entry.refreshAt && !flights.has(key)) refresh(key, loader);
        return entry.value;
      }
      const failure = failures.get(key);
      if (failure !== undefined && now < failure.until) throw failure.error;
      return load(key, loader, signal);
    },

    underWay: (key) => flights.underWay(key),

    renew(key) {
      const entry = entries.get(key);
      if (entry !== undefined) entry.refreshAt = clock.now();
    },
  };
}
