import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { createCacheWorld, LIFE } from '../support/cache-world.ts';

const MAX_REFRESHES = 32;

/** A cache full of values that are all usable and no longer fresh. */
async function staleCrowd(count: number) {
  const keys = Array.from({ length: count }, (_, index) => `key ${index}`);
  const world = createCacheWorld({ maxEntries: count + 1, maxRefreshes: MAX_REFRESHES });
  for (const key of keys) void world.get(key);
  await settle();
  await Promise.all(world.loads.splice(0).map((load) => load.bring('old', { usableFor: 86_400_000 })));
  await world.clock.advance(LIFE.freshFor);
  return { ...world, keys };
}

describe('many values that grow old at the same time', () => {
  test('are refreshed so many at a time; each use meanwhile is answered at once', async () => {
    const { keys, get, loads } = await staleCrowd(10_000);
    for (let round = 0; round < 3; round += 1) {
      expect(new Set(await Promise.all(keys.map((key) => get(key))))).toEqual(new Set(['old']));
    }
    expect(loads).toHaveLength(MAX_REFRESHES);
  });

  test('are all refreshed in the end, each once, as they are used', async () => {
    const { keys, get, loads } = await staleCrowd(1000);
    let brought = 0;
    while (brought < 1000) {
      await Promise.all(keys.map((key) => get(key)));
      expect(loads.length - brought).toBe(Math.min(MAX_REFRESHES, 1000 - brought));
      for (; brought < loads.length; brought += 1) await loads[brought]?.bring('new');
    }
    expect(new Set(loads.map(({ key }) => key)).size).toBe(1000);
    expect(new Set(await Promise.all(keys.map((key) => get(key))))).toEqual(new Set(['new']));
    expect(loads).toHaveLength(1000);
  });

  test('do not hold up whoever has nothing in hand', async () => {
    const { keys, get, loads, startLoad } = await staleCrowd(1000);
    await Promise.all(keys.map((key) => get(key)));
    const load = await startLoad('cold');
    expect(loads).toHaveLength(MAX_REFRESHES + 1);
    const waiting = get('cold');
    await load.bring('warm');
    expect(await waiting).toBe('warm');
  });

  test('give their places back whether they fail, bring nothing or take too long', async () => {
    const { keys, get, loads, clock } = await staleCrowd(1000);
    await Promise.all(keys.map((key) => get(key)));
    await loads[0]?.fail(new Error('no'));
    await loads[1]?.bring('dead', { usableFor: 0 });
    await Promise.all(keys.map((key) => get(key)));
    expect(loads).toHaveLength(MAX_REFRESHES + 2);
    await clock.advance(30_000);
    await Promise.all(keys.map((key) => get(key)));
    expect(loads).toHaveLength(2 * MAX_REFRESHES + 2);
  });
});
