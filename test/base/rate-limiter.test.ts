import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRateLimiter } from '../../src/base/rate-limiter.ts';

const START = Date.parse('2026-11-22T12:00:00Z');

/** How many of `count` requests made at once are let through. */
function burst(limiter: ReturnType<typeof createRateLimiter>, client: string, now: number, count = 1000): number {
  let passed = 0;
  for (let request = 0; request < count; request += 1) if (limiter.take(client, now) === 0) passed += 1;
  return passed;
}

describe('a rate limiter', () => {
  test.each([1, 2, 3, 7, 10, 100, 333])('lets %i a second through at once, and no more', (perSecond) => {
    const limiter = createRateLimiter({ perSecond, maxClients: 10 });
    expect(burst(limiter, 'a', START)).toBe(perSecond);
    expect(burst(limiter, 'a', START)).toBe(0);
  });

  test('says how long to wait, and is right about it', () => {
    const limiter = createRateLimiter({ perSecond: 4, maxClients: 10 });
    burst(limiter, 'a', START);
    const waitMs = limiter.take('a', START);
    expect(waitMs).toBe(250);
    expect(limiter.take('a', START + waitMs - 1)).toBeGreaterThan(0);
    expect(limiter.take('a', START + waitMs)).toBe(0);
    expect(limiter.take('a', START + waitMs)).toBeGreaterThan(0);
  });

  test('fills up as time goes, and never beyond a second', () => {
    const limiter = createRateLimiter({ perSecond: 10, maxClients: 10 });
    burst(limiter, 'a', START);
    expect(burst(limiter, 'a', START + 300)).toBe(3);
    expect(burst(limiter, 'a', START + 3_600_000)).toBe(10);
  });

  test('does not count what it refuses: who goes on asking is not punished for it', () => {
    const limiter = createRateLimiter({ perSecond: 2, maxClients: 10 });
    burst(limiter, 'a', START, 100_000);
    expect(limiter.take('a', START + 500)).toBe(0);
  });

  test('does not let one client use up what another may', () => {
    const limiter = createRateLimiter({ perSecond: 5, maxClients: 10 });
    burst(limiter, 'a', START);
    expect(burst(limiter, 'b', START)).toBe(5);
  });

  test('makes nobody wait for a clock that was set back, and lets nobody through for it', () => {
    const limiter = createRateLimiter({ perSecond: 5, maxClients: 10 });
    burst(limiter, 'a', START);
    const back = START - 3_600_000;
    expect(burst(limiter, 'a', back)).toBe(5);
    expect(limiter.take('a', back)).toBe(200);
  });

  test('remembers no more clients than it may: the one silent longest is forgotten', () => {
    const limiter = createRateLimiter({ perSecond: 1, maxClients: 2 });
    expect(limiter.take('a', START)).toBe(0);
    expect(limiter.take('b', START)).toBe(0);
    expect(limiter.take('a', START + 1000)).toBe(0);
    expect(limiter.take('c', START + 1000)).toBe(0);
    // b was forgotten, a and c were not.
    expect(limiter.take('a', START + 1000)).toBeGreaterThan(0);
    expect(limiter.take('c', START + 1000)).toBeGreaterThan(0);
    expect(limiter.take('b', START + 1000)).toBe(0);
  });

  test('does not let refused requests push others out of its memory', () => {
    const limiter = createRateLimiter({ perSecond: 1, maxClients: 2 });
    limiter.take('a', START);
    limiter.take('b', START);
    for (let request = 0; request < 100; request += 1) limiter.take('b', START);
    expect(limiter.take('a', START)).toBeGreaterThan(0);
  });

  test('in any stretch of time lets through at most a second more than the stretch is worth', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), gaps, (perSecond, waits) => {
        const limiter = createRateLimiter({ perSecond, maxClients: 3 });
        let now = START;
        let passed = 0;
        for (const wait of waits) {
          now += wait;
          if (limiter.take('a', now) === 0) passed += 1;
        }
        expect(passed).toBeLessThanOrEqual(perSecond + ((now - START) / 1000) * perSecond + 0.01);
      }),
    );
  });
});
