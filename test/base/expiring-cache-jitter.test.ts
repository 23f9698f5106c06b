import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { createCacheWorld, LIFE } from '../support/cache-world.ts';

describe('jitter', () => {
  test('spreads the refreshes of 10,000 values that came together over a tenth of their fresh time', async () => {
    let seed = 1;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const keys = Array.from({ length: 10_000 }, (_, index) => `key ${index}`);
    const world = createCacheWorld({ random, maxEntries: 10_000 });
    for (const key of keys) void world.get(key);
    await settle();
    await Promise.all(world.loads.map((load) => load.bring('value')));

    // In slices of a hundredth of the fresh time, from 90% of it on.
    const started: number[] = [];
    await world.clock.advance(LIFE.freshFor * 0.9 - 1);
    for (let slice = 0; slice <= 10; slice += 1) {
      const before = world.loads.length;
      for (const key of keys) void world.get(key);
      await settle();
      started.push(world.loads.length - before);
      await world.clock.advance(slice === 0 ? 1 + LIFE.freshFor / 100 : LIFE.freshFor / 100);
    }
    expect(started[0]).toBe(0);
    expect(started.reduce((sum, count) => sum + count)).toBe(10_000);
    for (const count of started.slice(1)) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test.each([
    [0, LIFE.freshFor],
    [0.5, LIFE.freshFor * 0.95],
    [1 - 2 ** -53, LIFE.freshFor * 0.9],
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
