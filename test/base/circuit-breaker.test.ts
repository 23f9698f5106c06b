import { describe, expect, test } from 'vitest';
import { createCircuitBreaker } from '../../src/base/circuit-breaker.ts';
import type { Clock } from '../../src/base/clock.ts';
import { createFakeClock } from '../fakes/clock.ts';

/** Opens after three failures, and tries again each 1.5 seconds (2 at most, of which the half of the half is added). */
function setUp(clock: Clock = createFakeClock()) {
  return createCircuitBreaker({ clock, random: () => 0.5, failures: 3, probeIntervalMs: 2_000 });
}

function opened(clock: Clock) {
  const breaker = setUp(clock);
  for (const who of ['a', 'b', 'a']) breaker.failed(who);
  expect(breaker.openSince).toBeDefined();
  return breaker;
}

describe('a breaker opens', () => {
  test('after so many failures in a row, and says since when they are', async () => {
    const clock = createFakeClock();
    const start = clock.now();
    const breaker = setUp(clock);
    expect(breaker.failed('a')).toBe(false);
    await clock.advance(1_000);
    expect(breaker.failed('b')).toBe(false);
    expect(breaker.openSince).toBeUndefined();
    expect(breaker.failed('b')).toBe(true);
    expect(breaker.openSince).toBe(start);
    expect(breaker.failed('c')).toBe(false);
  });

  test('not by one caller alone, however often it fails; by the first other one that does', () => {
    const breaker = setUp();
    for (let count = 0; count < 1_000; count += 1) expect(breaker.failed('a')).toBe(false);
    expect(breaker.openSince).toBeUndefined();
    expect(breaker.failed('b')).toBe(true);
  });

  test('not when an answer comes in between', () => {
    const breaker = setUp();
    for (let count = 0; count < 100; count += 1) {
      breaker.failed('a');
      breaker.failed('b');
      breaker.answered();
    }
    expect(breaker.openSince).toBeUndefined();
  });
});

describe('an open breaker', () => {
  test('lets one through each interval, whether or not the last has ended', async () => {
    const clock = createFakeClock();
    const breaker = opened(clock);
    expect(breaker.admitProbe('a')).toBe(false);
    await clock.advance(1_499);
    expect(breaker.admitProbe('a')).toBe(false);
    await clock.advance(1);
    expect(breaker.admitProbe('a')).toBe(true);
    expect(breaker.admitProbe('b')).toBe(false);
    await clock.advance(1_499);
    expect(breaker.admitProbe('b')).toBe(false);
    await clock.advance(1);
    expect(breaker.admitProbe('b')).toBe(true);
    expect(breaker.admitProbe('a')).toBe(false);
  });

  test('lets whoever tried last go first only where no other did for another interval', async () => {
    const clock = createFakeClock();
    const breaker = opened(clock);
    await clock.advance(1_500);
    expect(breaker.admitProbe('a')).toBe(true);
    await clock.advance(2_999);
    expect(breaker.admitProbe('a')).toBe(false);
    await clock.advance(1);
    expect(breaker.admitProbe('a')).toBe(true);
  });

  test('is closed by any answer, and counts from the start then', () => {
    const breaker = opened(createFakeClock());
    breaker.answered();
    expect(breaker.openSince).toBeUndefined();
    expect(breaker.failed('a')).toBe(false);
    expect(breaker.failed('b')).toBe(false);
    expect(breaker.failed('a')).toBe(true);
  });

  test('waits for no clock that was set back', () => {
    const fake = createFakeClock();
    let offset = 0;
    const breaker = opened({ now: () => fake.now() + offset, after: fake.after });
    offset = -3600_000;
    expect(breaker.admitProbe('a')).toBe(true);
    expect(breaker.admitProbe('b')).toBe(false);
  });
});
