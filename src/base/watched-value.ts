import type { Clock, Timer } from './clock.ts';
import { type SvidxError, toSvidxError } from './errors.ts';

export interface WatchedValueOptions<T> {
  readonly clock: Clock;
  /** How often what the value is read from is looked at. Milliseconds. */
  readonly intervalMs: number;
  /** Something that changes whenever what the value is read from does. Never throws. */
  fingerprint(): Promise<string>;
  /** Reads the value. @throws SvidxError */
  read(): Promise<T>;
  /** Told of each value but the first. What it throws counts as trouble with that value, which is not taken. */
  onValue(value: T, previous: T): void;
  /** Told of each trouble once, until it is another one or over. The last good value stays. */
  onTrouble(error: SvidxError): void;
}

/** A value that is read anew when what it comes from changes. */
export interface WatchedValue<T> {
  /** The last good one. */
  current(): T;
  /** What is wrong with what is there now, if anything. */
  trouble(): SvidxError | undefined;
  /** When the current value was read, in milliseconds since 1970. */
  lastGoodAt(): number;
  /** Looks now instead of at the next poll. Never throws. */
  check(): Promise<void>;
  close(): void;
}

/** How often something is read anew when it changes while it is read. */
const READ_ATTEMPTS = 5;

/**
 * Reads something that has several parts, all of them as they were at one moment.
 * @param fingerprint changes whenever one of the parts does
 * @returns `undefined` when it changes faster than it can be read
 * @throws what `read` throws
 */
export async function readSettled<T>(
  fingerprint: () => Promise<string>,
  read: () => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
    const before = await fingerprint();
    const reading = read();
    await reading.catch(() => {});
    // What changed meanwhile may be half of one state and half of another, and so may what is wrong with it.
    if ((await fingerprint()) === before) return { value: await reading };
  }
  return undefined;
}

/**
 * Reads a value and keeps it current, by polling: that works everywhere, mounted Kubernetes volumes included. What cannot
 * be read is tried again at each poll, since not every trouble is in the thing itself.
 * @throws what `read` throws the first time
 */
export async function watchValue<T>(options: WatchedValueOptions<T>): Promise<WatchedValue<T>> {
  const { clock, fingerprint } = options;
  // Taken before it is read: a change in between is seen by the next poll.
  let seen = await fingerprint();
  let current = await options.read();
  let lastGoodAt = clock.now();
  let trouble: SvidxError | undefined;
  let closed = false;
  let looking = Promise.resolve();
  let timer: Timer = schedule();

  async function look(): Promise<void> {
    const found = await fingerprint();
    if (closed || (found === seen && trouble === undefined)) return;
    try {
      const value = await options.read();
      if (closed) return;
      options.onValue(value, current);
      [current, seen, lastGoodAt, trouble] = [value, found, clock.now(), undefined];
    } catch (thrown) {
      const error = toSvidxError(thrown);
      const isNew = found !== seen || error.code !== trouble?.code || error.message !== trouble.message;
      [seen, trouble] = [found, error];
      if (isNew && !closed) options.onTrouble(error);
    }
  }

  /** One after the other: a look that was asked for during another sees what that one left. */
  function check(): Promise<void> {
    looking = looking.then(look);
    return looking;
  }

  function schedule(): Timer {
    return clock.after(options.intervalMs, () => {
      void check().finally(() => {
        if (!closed) timer = schedule();
      });
    });
  }

  return {
    current: () => current,
    trouble: () => trouble,
    lastGoodAt: () => lastGoodAt,
    check,
    close() {
      closed = true;
      timer.cancel();
    },
  };
}
