import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { type CacheWorld, createCacheWorld, LIFE, LOAD_TIMEOUT_MS, Remembered } from '../support/cache-world.ts';

/** A world with one value in it that has just come and is to be renewed. */
async function renewedWorld(options?: Parameters<typeof createCacheWorld>[0]): Promise<CacheWorld> {
  const world = createCacheWorld(options);
  await world.fill('key', 'old');
  world.cache.renew('key');
  return world;
}

describe('a value that is to be renewed', () => {
  test('stays in use, and its next use starts one refresh behind, however fresh it is', async () => {
    const world = await renewedWorld();
    for (let asked = 0; asked < 1000; asked += 1) expect(await world.get('key')).toBe('old');
    expect(world.loads).toHaveLength(2);
    await world.loads[1]?.bring('new');
    expect(await world.get('key')).toBe('new');
    await world.clock.advance(LIFE.freshFor - 1);
    expect(await world.get('key')).toBe('new');
    await settle();
    expect(world.loads).toHaveLength(2);
  });

  test('is not loaded before somebody uses it, and left to expire when nobody does', async () => {
    const world = await renewedWorld();
    await world.clock.advance(LIFE.usableFor);
    expect(world.loads).toHaveLength(1);
    expect(world.clock.timers).toBe(0);
  });

  test('serves to its end when the refresh hangs', async () => {
    const world = await renewedWorld();
    await world.startLoad('key');
    await world.clock.advance(LOAD_TIMEOUT_MS - 1);
    expect(await world.get('key')).toBe('old');
    await world.clock.advance(1);
    expect(await world.get('key')).toBe('old');
    expect(world.refreshFailures).toMatchObject([['key', { message: 'the load took too long' }]]);
    expect(world.cache.size).toBe(1);
  });

  test('serves to its end when the refresh fails, which is told, and tried again with growing waits', async () => {
    const world = await renewedWorld();
    const error = new Remembered('refused', 3600_000);
    let passed = 0;
    for (const wait of [500, 1000, 2000, 4000]) {
      await (await world.startLoad('key')).fail(error);
      const loads = world.loads.length;
      await world.clock.advance(wait - 1);
      expect(await world.get('key')).toBe('old');
      await settle();
      expect(world.loads).toHaveLength(loads);
      await world.clock.advance(1);
      passed += wait;
    }
    expect(world.refreshFailures).toEqual(Array(4).fill(['key', error]));
    await world.clock.advance(LIFE.usableFor - passed - 1);
    expect(await world.get('key')).toBe('old');
  });

  test('serves on when the refresh brings nothing usable', async () => {
    const world = await renewedWorld();
    await (await world.startLoad('key')).bring('dead', { usableFor: 0 });
    expect(await world.get('key')).toBe('old');
    expect(world.loads).toHaveLength(2);
  });

  test('is refreshed once, however often that is said', async () => {
    const world = await renewedWorld();
    const load = await world.startLoad('key');
    for (let said = 0; said < 10; said += 1) {
      world.cache.renew('key');
      expect(await world.get('key')).toBe('old');
    }
    await settle();
    expect(world.loads).toHaveLength(2);
    await load.bring('new');
    expect(await world.get('key')).toBe('new');
    await settle();
    expect(world.loads).toHaveLength(2);
  });

  test('after a refresh that failed is tried at its next use, whatever the wait', async () => {
    const world = await renewedWorld();
    await (await world.startLoad('key')).fail(new Error('away'));
    world.cache.renew('key');
    await (await world.startLoad('key')).bring('new');
    expect(await world.get('key')).toBe('new');
  });
});

describe('to renew', () => {
  test('another key is nothing to this one', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'value');
    for (const other of ['other', '', 'KEY', '__proto__', 'constructor']) world.cache.renew(other);
    expect(await world.get('key')).toBe('value');
    await settle();
    expect(world.loads).toHaveLength(1);
    expect(world.cache.size).toBe(1);
  });

  test('what is not there yet is nothing to what comes', async () => {
    const world = createCacheWorld();
    world.cache.renew('key');
    const load = await world.startLoad('key');
    world.cache.renew('key');
    await load.bring('value');
    expect(await world.get('key')).toBe('value');
    await settle();
    expect(world.loads).toHaveLength(1);
  });

  test('what has ended does not bring it back', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'ended');
    await world.clock.advance(LIFE.usableFor);
    world.cache.renew('key');
    const answer = world.get('key');
    await settle();
    await world.loads[1]?.bring('new');
    expect(await answer).toBe('new');
  });

  test('is no use: of those that are held it still is the first to go', async () => {
    const world = createCacheWorld({ maxEntries: 2 });
    await world.fill('first', 'first');
    await world.fill('second', 'second');
    world.cache.renew('first');
    await world.fill('third', 'third');
    expect(await world.get('second')).toBe('second');
    await world.startLoad('first');
  });

  test('a failure that is remembered does not forget it', async () => {
    const world = createCacheWorld();
    await (await world.startLoad('key')).fail(new Remembered('refused', 2000));
    world.cache.renew('key');
    await expect(world.get('key')).rejects.toThrow('refused');
    expect(world.loads).toHaveLength(1);
  });
});
