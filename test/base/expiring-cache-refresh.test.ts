import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { type CacheWorld, createCacheWorld, LIFE, LOAD_TIMEOUT_MS, Remembered } from '../support/cache-world.ts';

/** A world with one value in it that is usable for a day and no longer fresh. */
async function staleWorld(options?: Parameters<typeof createCacheWorld>[0]): Promise<CacheWorld> {
  const world = createCacheWorld(options);
  await world.fill('key', 'old', { usableFor: 86_400_000 });
  await world.clock.advance(LIFE.freshFor);
  return world;
}

describe('a value that is fresh', () => {
  test('is handed out and nothing else happens', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'value');
    await world.clock.advance(LIFE.freshFor - 1);
    for (let asked = 0; asked < 100; asked += 1) expect(await world.get('key')).toBe('value');
    await settle();
    expect(world.loads).toHaveLength(1);
  });
});

describe('a value that is usable and no longer fresh', () => {
  test('is handed out at once, and its use starts one refresh behind', async () => {
    const world = await staleWorld();
    for (let asked = 0; asked < 1000; asked += 1) expect(await world.get('key')).toBe('old');
    expect(world.loads).toHaveLength(2);
    await world.loads[1]?.bring('new');
    expect(await world.get('key')).toBe('new');
    expect(world.loads).toHaveLength(2);
  });

  test('is not refreshed when nobody uses it, and left to expire', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'value');
    await world.clock.advance(LIFE.usableFor - 1);
    expect(world.loads).toHaveLength(1);
    expect(world.clock.timers).toBe(0);
    await world.clock.advance(1);
    const load = await world.startLoad('key');
    expect(await Promise.race([world.get('key'), Promise.resolve('waits')])).toBe('waits');
    await load.bring('next');
    expect(await world.get('key')).toBe('next');
  });

  test('never makes a caller wait, whatever becomes of the refresh', async () => {
    const world = await staleWorld();
    const load = await world.startLoad('key');
    expect(await world.get('key')).toBe('old');
    await world.clock.advance(LOAD_TIMEOUT_MS);
    expect(await world.get('key')).toBe('old');
    await load.bring('too late');
    expect(await world.get('key')).toBe('old');
  });

  test('is joined by those who come after its end while the refresh is under way', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'old');
    await world.clock.advance(LIFE.usableFor - 1);
    const load = await world.startLoad('key');
    await world.clock.advance(1);
    const answers = [world.get('key'), world.get('key')];
    await settle();
    expect(world.loads).toHaveLength(2);
    await load.bring('new');
    expect(await Promise.all(answers)).toEqual(['new', 'new']);
  });

  test('is refreshed with the loader of the caller who used it', async () => {
    const { cache, clock, fill } = createCacheWorld();
    await fill('key', 'old');
    await clock.advance(LIFE.freshFor);
    let called = 0;
    const mine = async () => {
      called += 1;
      return { name: 'mine', ...LIFE };
    };
    expect((await cache.get('key', mine)).name).toBe('old');
    await settle();
    expect((await cache.get('key', mine)).name).toBe('mine');
    expect(called).toBe(1);
  });

  test('is refreshed also when the caller who used it has given up', async () => {
    const world = await staleWorld();
    const load = await world.startLoad('key', AbortSignal.abort());
    expect(load.signal.aborted).toBe(false);
  });
});

describe('a refresh that fails', () => {
  test('keeps the value, is told, and is tried again with growing waits', async () => {
    const world = await staleWorld();
    const error = new Error('away');
    // With `random` at 0 each wait is half of 1, 2, 4 ... seconds, and half a minute at most.
    for (const wait of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      await (await world.startLoad('key')).fail(error);
      const loads = world.loads.length;
      await world.clock.advance(wait - 1);
      expect(await world.get('key')).toBe('old');
      await settle();
      expect(world.loads).toHaveLength(loads);
      await world.clock.advance(1);
    }
    expect(world.refreshFailures).toEqual(Array(8).fill(['key', error]));
  });

  test('starts its waits over once one succeeded', async () => {
    const world = await staleWorld();
    for (const wait of [500, 1000, 2000]) {
      await (await world.startLoad('key')).fail(new Error('away'));
      await world.clock.advance(wait);
    }
    await (await world.startLoad('key')).bring('new');
    await world.clock.advance(LIFE.freshFor);
    await (await world.startLoad('key')).fail(new Error('away'));
    await world.clock.advance(500);
    await world.startLoad('key');
  });

  test('is not what a caller gets, not even one that would be remembered', async () => {
    const world = await staleWorld();
    await (await world.startLoad('key')).fail(new Remembered('refused', 60_000));
    expect(await world.get('key')).toBe('old');
  });

  test('is not held against the key when the value ends', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'old');
    await world.clock.advance(LIFE.usableFor - 1);
    await (await world.startLoad('key')).fail(new Remembered('refused', 60_000));
    await world.clock.advance(1);
    await (await world.startLoad('key')).bring('new');
    expect(await world.get('key')).toBe('new');
  });

  test('after the end of the value is a failure like any other, for those who waited and those who come', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'old');
    await world.clock.advance(LIFE.usableFor - 1);
    const load = await world.startLoad('key');
    await world.clock.advance(1);
    const waiting = world.get('key');
    await load.fail(new Remembered('refused', 2000));
    await expect(waiting).rejects.toThrow('refused');
    await expect(world.get('key')).rejects.toThrow('refused');
    expect(world.loads).toHaveLength(2);
    expect(world.refreshFailures).toEqual([]);
  });

  test('is not started again by a caller who comes at that very moment', async () => {
    const world = await staleWorld();
    const load = await world.startLoad('key');
    void load.fail(new Error('away'));
    for (let turn = 0; turn < 20; turn += 1) {
      void world.get('key');
      await Promise.resolve();
    }
    await settle();
    expect(world.loads).toHaveLength(2);
  });

  test('that takes too long is told as such', async () => {
    const world = await staleWorld();
    await world.startLoad('key');
    await world.clock.advance(LOAD_TIMEOUT_MS);
    expect(world.refreshFailures).toMatchObject([['key', { message: 'the load took too long' }]]);
  });

  test('is nothing to the next one when telling of it throws', async () => {
    const world = await staleWorld({
      onRefreshFailed() {
        throw new Error('the log is full');
      },
    });
    await (await world.startLoad('key')).fail(new Error('away'));
    await world.clock.advance(500);
    await (await world.startLoad('key')).bring('new');
    expect(await world.get('key')).toBe('new');
  });
});

describe('a refresh that brings nothing usable', () => {
  test('keeps the value in hand, and is not repeated at once', async () => {
    const world = await staleWorld();
    for (const wait of [500, 1000, 2000]) {
      await (await world.startLoad('key')).bring('dead', { usableFor: 0 });
      const loads = world.loads.length;
      for (let asked = 0; asked < 100; asked += 1) expect(await world.get('key')).toBe('old');
      await world.clock.advance(wait - 1);
      await world.get('key');
      await settle();
      expect(world.loads).toHaveLength(loads);
      await world.clock.advance(1);
    }
    expect(world.refreshFailures).toEqual([]);
  });

  test('is not repeated within a second when what it brings is stale on arrival', async () => {
    const world = await staleWorld();
    for (let turn = 0; turn < 5; turn += 1) {
      await (await world.startLoad('key')).bring('stale', { freshFor: 0 });
      const loads = world.loads.length;
      await world.clock.advance(999);
      expect(await world.get('key')).toBe('stale');
      await settle();
      expect(world.loads).toHaveLength(loads);
      await world.clock.advance(1);
    }
  });
});
