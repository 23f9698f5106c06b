import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffDelay, type RetryOptions, retry } from '../../src/base/backoff.ts';
import { createFakeClock, type FakeClock, settle } from '../fakes/clock.ts';

const LARGEST = 1 - 2 ** -53;

describe('the wait before a retry', () => {
  test.each([
    [0, 50, 100],
    [1, 100, 200],
    [2, 200, 400],
    [3, 400, 800],
    [4, 500, 1000],
    [5, 500, 1000],
    [30, 500, 1000],
    [31, 500, 1000],
    [1_000_000, 500, 1000],
    [Number.POSITIVE_INFINITY, 500, 1000],
  ])('number %d is %d to %d ms: doubled each time up to the limit, half of it by chance', (attempt, least, most) => {
    const backoff = { firstMs: 100, maxMs: 1000 };
    expect(backoffDelay(attempt, backoff, () => 0)).toBe(least);
    expect(backoffDelay(attempt, backoff, () => LARGEST)).toBeLessThanOrEqual(most);
    expect(backoffDelay(attempt, backoff, () => LARGEST)).toBeGreaterThan(most - 0.001);
  });

  test('never exceeds the limit, not even where the first wait does', () => {
    expect(backoffDelay(0, { firstMs: 5000, maxMs: 1000 }, () => LARGEST)).toBeLessThanOrEqual(1000);
  });

  test('is more than 0 and never shorter than half of the one before', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.nat({ max: 100 }), random, random, (attempt, before, after) => {
        const backoff = { firstMs: 10, maxMs: 60_000 };
        const shorter = backoffDelay(attempt, backoff, () => before);
        const longer = backoffDelay(attempt + 1, backoff, () => after);
        return shorter > 0 && longer > 0 && longer >= shorter / 2 && longer <= 60_000;
      }),
    );
  });

  test('is not the same for two clients', () => {
    const delays = new Set(
      Array.from({ length: 100 }, () => backoffDelay(3, { firstMs: 100, maxMs: 1e6 }, Math.random)),
    );
    expect(delays.size).toBeGreaterThan(90);
  });
});

describe('retry', () => {
  class Passing extends Error {}

  /** Runs an operation that fails with each of `errors` in turn and then succeeds. */
  function start(errors: readonly unknown[], overrides: Partial<RetryOptions> = {}) {
    const clock: FakeClock = createFakeClock();
    const triedAt: number[] = [];
    const began = clock.now();
    const operation = async (): Promise<string> => {
      const error = errors[triedAt.length];
      triedAt.push(clock.now() - began);
      if (error !== undefined) throw error;
      return 'value';
    };
    const options: RetryOptions = {
      clock,
      random: () => 0,
      firstMs: 100,
      maxMs: 1000,
      attempts: 4,
      isRetryable: (error) => error instanceof Passing,
      ...overrides,
    };
    const outcome = retry(operation, options).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    return { clock, triedAt, outcome };
  }

  test('does not try again what succeeded', async () => {
    const { triedAt, outcome, clock } = start([]);
    expect(await outcome).toEqual({ value: 'value' });
    expect(triedAt).toEqual([0]);
    expect(clock.timers).toBe(0);
  });

  test('tries again after growing waits what may pass', async () => {
    const { clock, triedAt, outcome } = start([new Passing(), new Passing(), new Passing()]);
    await settle();
    await clock.advance(1000);
    expect(await outcome).toEqual({ value: 'value' });
    expect(triedAt).toEqual([0, 50, 150, 350]);
  });

  test('leaves alone for as long as it is told whoever failed, and waits then', async () => {
    const { clock, triedAt, outcome } = start([new Passing('1000'), new Passing('0'), new Passing('7')], {
      pauseMs: (error) => Number(error instanceof Error ? error.message : 0),
    });
    await settle();
    await clock.advance(60_000);
    expect(await outcome).toEqual({ value: 'value' });
    expect(triedAt).toEqual([0, 1050, 1150, 1357]);
  });

  test('gives up after as many attempts as it may make, with the last failure', async () => {
    const last = new Passing('last');
    const { clock, triedAt, outcome } = start([new Passing(), new Passing(), new Passing(), last]);
    await settle();
    await clock.advance(60_000);
    expect(await outcome).toEqual({ error: last });
    expect(triedAt).toHaveLength(4);
  });

  test.each([1, 0, -1])('with %d attempts tries once', async (attempts) => {
    const only = new Passing();
    const { triedAt, outcome } = start([only], { attempts });
    expect(await outcome).toEqual({ error: only });
    expect(triedAt).toEqual([0]);
  });

  test('does not try again what will not pass', async () => {
    const final = new Error('final');
    const { clock, triedAt, outcome } = start([new Passing(), final]);
    await settle();
    await clock.advance(60_000);
    expect(await outcome).toEqual({ error: final });
    expect(triedAt).toEqual([0, 50]);
  });

  test('ends its wait when it is aborted, with the reason', async () => {
    const controller = new AbortController();
    const { clock, triedAt, outcome } = start([new Passing()], { signal: controller.signal });
    await settle();
    await clock.advance(49);
    controller.abort(new Error('stopped'));
    expect(await outcome).toEqual({ error: new Error('stopped') });
    await clock.advance(60_000);
    expect(triedAt).toEqual([0]);
    expect(clock.timers).toBe(0);
  });

  test('does not wait at all once it is aborted', async () => {
    const failure = new Passing();
    const { clock, triedAt, outcome } = start([failure], { signal: AbortSignal.abort(new Error('stopped')) });
    expect(await outcome).toEqual({ error: failure });
    expect(triedAt).toEqual([0]);
    expect(clock.timers).toBe(0);
  });
});
