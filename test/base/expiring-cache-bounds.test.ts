import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { createCacheWorld, LIFE, Remembered } from '../support/cache-world.ts';

describe('a cache that is full', () => {
  test('lets the key go that was unused for longest', async () => {
    const world = createCacheWorld({ maxEntries: 3 });
    for (const key of ['a', 'b', 'c']) await world.fill(key, key);
    await world.get('a');
    await world.fill('d', 'd');
    expect(world.cache.size).toBe(3);
    for (const key of ['a', 'c', 'd']) expect(await world.get(key)).toBe(key);
    expect(world.loads).toHaveLength(4);
    await world.startLoad('b');
  });

  test('counts a refresh as a use', async () => {
    const world = createCacheWorld({ maxEntries: 2 });
    await world.fill('a', 'a');
    await world.clock.advance(LIFE.freshFor);
    const refresh = await world.startLoad('a');
    await world.fill('b', 'b');
    await refresh.bring('a again');
    await world.fill('c', 'c');
    expect(await world.get('a')).toBe('a again');
    await world.startLoad('b');
  });

  test('never holds more than it may, whatever is asked of it', async () => {
    const world = createCacheWorld({ maxEntries: 10 });
    for (let index = 0; index < 200; index += 1) {
      await world.fill(`key ${index}`, 'value');
      expect(world.cache.size).toBeLessThanOrEqual(10);
    }
    for (let index = 190; index < 200; index += 1) await world.get(`key ${index}`);
    expect(world.loads).toHaveLength(200);
  });

  test('of no size still answers', async () => {
    const world = createCacheWorld({ maxEntries: 0 });
    const answer = world.get('key');
    await settle();
    await world.loads[0]?.bring('value');
    expect(await answer).toBe('value');
    expect(world.cache.size).toBe(0);
  });
});

describe('what has expired', () => {
  test('goes with the next value that comes, where it is the longest unused', async () => {
    const world = createCacheWorld();
    for (const key of ['a', 'b', 'c']) await world.fill(key, key);
    await world.clock.advance(LIFE.usableFor);
    await world.fill('d', 'd');
    expect(world.cache.size).toBe(1);
  });

  test('makes place before anything that is usable, where it is the longest unused', async () => {
    const world = createCacheWorld({ maxEntries: 2 });
    await world.fill('short', 'short', { usableFor: 1000 });
    await world.fill('long', 'long');
    await world.clock.advance(1000);
    await world.fill('new', 'new');
    expect(await world.get('long')).toBe('long');
    expect(world.loads).toHaveLength(3);
  });
});

describe('remembered failures', () => {
  test('are bounded as values are', async () => {
    const world = createCacheWorld({ maxEntries: 2 });
    for (const key of ['a', 'b', 'c']) await (await world.startLoad(key)).fail(new Remembered(key, 60_000));
    await expect(world.get('b')).rejects.toThrow('b');
    await expect(world.get('c')).rejects.toThrow('c');
    expect(world.loads).toHaveLength(3);
    await world.startLoad('a');
  });

  test('take no place from values', async () => {
    const world = createCacheWorld({ maxEntries: 2 });
    await world.fill('a', 'a');
    await world.fill('b', 'b');
    for (const key of ['c', 'd', 'e']) await (await world.startLoad(key)).fail(new Remembered(key, 60_000));
    expect(await Promise.all([world.get('a'), world.get('b')])).toEqual(['a', 'b']);
    expect(world.cache.size).toBe(2);
  });

  test('give way to none that is not remembered', async () => {
    const world = createCacheWorld({ maxEntries: 2 });
    await (await world.startLoad('a')).fail(new Remembered('a', 60_000));
    for (const key of ['b', 'c', 'd']) await (await world.startLoad(key)).fail(new Error('passing'));
    await expect(world.get('a')).rejects.toThrow('a');
  });

  test('are as new as the last of the same key', async () => {
    const world = createCacheWorld({ maxEntries: 2 });
    await (await world.startLoad('a')).fail(new Remembered('a', 10));
    await (await world.startLoad('b')).fail(new Remembered('b', 60_000));
    await world.clock.advance(10);
    await (await world.startLoad('a')).fail(new Remembered('a again', 60_000));
    await (await world.startLoad('c')).fail(new Remembered('c', 60_000));
    await expect(world.get('a')).rejects.toThrow('a again');
    await world.startLoad('b');
  });

  test('that are newer outlive those that have passed', async () => {
    const world = createCacheWorld({ maxEntries: 2 });
    await (await world.startLoad('a')).fail(new Remembered('a', 10));
    await (await world.startLoad('b')).fail(new Remembered('b', 60_000));
    await world.clock.advance(10);
    await (await world.startLoad('c')).fail(new Remembered('c', 60_000));
    await expect(world.get('b')).rejects.toThrow('b');
  });
});
