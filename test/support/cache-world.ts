import { createExpiringCache, type ExpiringCache, type ExpiringCacheOptions } from '../../src/base/expiring-cache.ts';
import { createFakeClock, type FakeClock, settle } from '../fakes/clock.ts';

/** A value that knows how long it serves after it arrived, in milliseconds. */
export interface TestValue {
  readonly name: string;
  readonly freshFor: number;
  readonly usableFor: number;
}

/** A load under way, whose outcome the test decides. */
export interface TestLoad {
  readonly key: string;
  readonly signal: AbortSignal;
  /** Ends the load and lets everything run that waited for it. */
  bring(name: string, life?: Partial<TestValue>): Promise<void>;
  fail(error: unknown): Promise<void>;
}

export interface CacheWorld {
  readonly cache: ExpiringCache<TestValue>;
  readonly clock: FakeClock;
  /** Every load that was started, in order. */
  readonly loads: TestLoad[];
  /** What `onRefreshFailed` was told. */
  readonly refreshFailures: (readonly [string, unknown])[];
  /** Asks for a key. The promise is one that nobody needs to wait for. */
  get(key: string, signal?: AbortSignal): Promise<string>;
  /** Asks, lets everything run, and returns the load that this started. */
  startLoad(key: string, signal?: AbortSignal): Promise<TestLoad>;
  /** Puts a value into the cache. */
  fill(key: string, name: string, life?: Partial<TestValue>): Promise<void>;
}

/** An error that is remembered for this long, in milliseconds. */
export class Remembered extends Error {
  readonly ms: number;

  constructor(message: string, ms: number) {
    super(message);
    this.ms = ms;
  }
}

export const LIFE = { freshFor: 60_000, usableFor: 120_000 };
export const LOAD_TIMEOUT_MS = 30_000;

export function createCacheWorld(options: Partial<ExpiringCacheOptions<TestValue>> = {}): CacheWorld {
  const clock = createFakeClock();
  const loads: TestLoad[] = [];
  const refreshFailures: (readonly [string, unknown])[] = [];
  const cache = createExpiringCache<TestValue>({
    clock,
    random: () => 0,
    maxEntries: 1000,
    maxRefreshes: 1_000_000,
    loadTimeoutMs: LOAD_TIMEOUT_MS,
    timeoutError: () => new Error('the load took too long'),
    lifetime: (value, arrivedAt) => ({
      freshUntil: arrivedAt + value.freshFor,
      usableUntil: arrivedAt + value.usableFor,
    }),
    rememberFailureMs: (error) => (error instanceof Remembered ? error.ms : 0),
    onRefreshFailed: (key, error) => refreshFailures.push([key, error]),
    ...options,
  });

  function loader(key: string): (signal: AbortSignal) => Promise<TestValue> {
    return (signal) =>
      new Promise((resolve, reject) => {
        loads.push({
          key,
          signal,
          async bring(name, life = {}) {
            resolve({ name, ...LIFE, ...life });
            await settle();
          },
          async fail(error) {
            reject(error);
            await settle();
          },
        });
      });
  }

  const world: CacheWorld = {
    cache,
    clock,
    loads,
    refreshFailures,
    get(key, signal) {
      const answer = cache.get(key, loader(key), signal).then(({ name }) => name);
      answer.catch(() => {});
      return answer;
    },
    async startLoad(key, signal) {
      const before = loads.length;
      void world.get(key, signal);
      await settle();
      const load = loads[before];
      if (load === undefined || loads.length !== before + 1) throw new Error(`expected one load of ${key} to start`);
      return load;
    },
    async fill(key, name, life) {
      await (await world.startLoad(key)).bring(name, life);
    },
  };
  return world;
}
