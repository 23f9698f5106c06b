import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { createCacheWorld, LIFE } from '../support/cache-world.ts';

/** Numbers that look random and are the same each time. */
function pseudoRandom(): () => number {
  let seed = 1;
  return () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
}

describe('jitter', () => {
  test('spreads the refreshes of 10,000 values that came together over a fifth of their fresh time', async () => {
    const keys = Array.from({ length: 10_000 }, (_, index) => `key ${index}`);
    const life = { freshFor: 150_000, usableFor: 290_000 };
    const world = createCacheWorld({ random: pseudoRandom(), maxEntries: 10_000 });
    for (const key of keys) void world.get(key);
    await settle();
    await Promise.all(world.loads.map((load) => load.bring('value', life)));

    // Each is used each second, as a component does that takes many requests.
    const startedInSecond: number[] = [];
    await world.clock.advance(119_000);
    for (let second = 119; second <= 150; second += 1) {
      const before = world.loads.length;
      for (const key of keys) void world.get(key);
      await settle();
      startedInSecond.push(world.loads.length - before);
      await world.clock.advance(1000);
    }
    expect(startedInSecond.slice(0, 2)).toEqual([0, 0]);
    expect(startedInSecond.reduce((sum, count) => sum + count)).toBe(10_000);
    // SPIRE's server signs 500 in a second for one agent (pkg/server/api/middleware/ratelimit.go).
    expect(Math.max(...startedInSecond)).toBeLessThan(400);
  });

  test.each([
    [0, LIFE.freshFor],
    [0.5, LIFE.freshFor * 0.9],
    [1 - 2 ** -53, LIFE.freshFor * 0.8],
  ])('at %d leaves a value fresh for %d ms', async (random, freshFor) => {
    const world = createCacheWorld({ random: () => random });
    await world.fill('key', 'value');
    await world.clock.advance(freshFor - 1);
    void world.get('key');
    await settle();
    expect(world.loads).toHaveLength(1);
    await world.clock.advance(1);
    await world.startLoad('key');
  });
});
