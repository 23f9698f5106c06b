import { type Clock, sleep } from './clock.ts';

/** How waits grow between attempts. */
export interface Backoff {
  /** Milliseconds of the first wait, before jitter; more than 0. */
  readonly firstMs: number;
  /** Milliseconds that no wait exceeds. */
  readonly maxMs: number;
}

/**
 * The wait before retry number `attempt` (0 is the first): doubling from `firstMs` to `maxMs`, of which the upper half
 * is random, so that many clients that failed together do not return together.
 * @param random gives numbers from 0 (included) to 1 (excluded)
 * @returns milliseconds
 */
export function backoffDelay(attempt: number, backoff: Backoff, random: () => number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.firstMs * 2 ** attempt);
  return ceiling / 2 + (ceiling / 2) * random();
}

export interface RetryOptions extends Backoff {
  readonly clock: Clock;
  readonly random: () => number;
  /** How often the operation is tried in all; 1 means no retry. */
  readonly attempts: number;
  /** Whether this failure may pass by itself. */
  isRetryable(error: unknown): boolean;
  /** Milliseconds for which whoever failed wants to be left alone (such as `Retry-After` says); the wait begins after them. */
  pauseMs?(error: unknown): number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `operation`, and again after a growing wait while its failure may pass by itself.
 * @throws the last failure, or the signal's reason
 */
export async function retry<T>(operation: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await operation();
    } catch (error) {
      if (attempt + 1 >= options.attempts || options.signal?.aborted || !options.isRetryable(error)) throw error;
      const pause = options.pauseMs?.(error) ?? 0;
      await sleep(options.clock, pause + backoffDelay(attempt, options, options.random), options.signal);
    }
  }
}
