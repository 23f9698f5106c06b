import { type Backoff, backoffDelay } from './backoff.ts';
import type { Clock } from './clock.ts';

export interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  /** After how many failures in a row it opens. */
  readonly failures: number;
  /** Milliseconds between two attempts while it is open, of which the upper half is random. */
  readonly probeIntervalMs: number;
}

/** Knows whether an upstream is down, from how the calls to it end. See {@link createCircuitBreaker}. */
export interface CircuitBreaker {
  /** The moment of the first of the failures that opened it (milliseconds since 1970); `undefined` while it is closed. */
  readonly openSince: number | undefined;
  /** Whether this caller may try while it is open. If so, that is the one attempt until the next is due. */
  admitProbe(who: string): boolean;
  /** The upstream answered: it is closed. */
  answered(): void;
  /**
   * The upstream did not answer.
   * @returns true where this opened it
   */
  failed(who: string): boolean;
}

/**
 * Opens after so many failures in a row, of two callers at least: what only one meets with may be a mistake of its own,
 * and is not to cost the others anything. While it is open, one attempt each interval goes through, whether or not the
 * last one has ended, so that an attempt that hangs keeps nobody from finding that the upstream is back. Any answer
 * closes it.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { clock, random } = options;
  const interval: Backoff = { firstMs: options.probeIntervalMs, maxMs: options.probeIntervalMs };
  let inARow = 0;
  let first: { readonly who: string; readonly at: number } | undefined;
  let byOthers = false;
  let openSince: number | undefined;
  let probeAt = 0;
  let waitMs = 0;
  let lastProbe: string | undefined;

  function postponeProbe(): void {
    waitMs = backoffDelay(0, interval, random);
    probeAt = clock.now() + waitMs;
  }

  return {
    get openSince() {
      return openSince;
    },
    admitProbe(who) {
      // Whoever tried last lets the others go first: one that can only fail would keep it open for all.
      const dueAt = who === lastProbe ? probeAt + waitMs : probeAt;
      const left = dueAt - clock.now();
      // Longer than any wait: the clock was set back.
      if (left > 0 && left <= 2 * options.probeIntervalMs) return false;
      lastProbe = who;
      postponeProbe();
      return true;
    },
    answered() {
      inARow = 0;
      first = undefined;
      byOthers = false;
      openSince = undefined;
      lastProbe = undefined;
    },
    failed(who) {
      if (openSince !== undefined) return false;
      inARow += 1;
      first ??= { who, at: clock.now() };
      byOthers ||= who !== first.who;
      if (inARow < options.failures || !byOthers) return false;
      openSince = first.at;
      postponeProbe();
      return true;
    },
  };
}
