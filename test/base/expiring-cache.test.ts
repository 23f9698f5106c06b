import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { createCacheWorld, LIFE, Remembered } from '../support/cache-world.ts';

describe('a key that is not held', () => {
  test('is loaded once for a thousand callers', async () => {
    const world = createCacheWorld();
    const answers = Array.from({ length: 1000 }, () => world.get('key'));
    await settle();
    expect(world.loads).toHaveLength(1);
    await world.loads[0]?.bring('value');
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['value']));
    expect(world.loads).toHaveLength(1);
  });

  test('fails once for a thousand callers, each of whom gets the very error', async () => {
    const world = createCacheWorld();
    const answers = Array.from({ length: 1000 }, () => world.get('key').catch((error: unknown) => error));
    await settle();
    const refusal = new Error('no');
    await world.loads[0]?.fail(refusal);
    expect(new Set(await Promise.all(answers))).toEqual(new Set([refusal]));
    expect(world.loads).toHaveLength(1);
  });

  test('does not wait for another key', async () => {
    const world = createCacheWorld();
    await world.startLoad('slow');
    await world.fill('quick', 'value');
    expect(await world.get('quick')).toBe('value');
  });

  test.each(['', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '\0', '\ud800', 'k'.repeat(100_000)])(
    'may be called %j like any other',
    async (key) => {
      const world = createCacheWorld();
      await world.fill(key, 'value');
      expect(await world.get(key)).toBe('value');
      expect(world.loads).toHaveLength(1);
      expect(world.cache.size).toBe(1);
    },
  );

  test('is not confused with one that looks alike', async () => {
    const world = createCacheWorld();
    await world.fill('\u00e9', 'composed');
    await world.fill('e\u0301', 'decomposed');
    expect(await Promise.all([world.get('\u00e9'), world.get('e\u0301')])).toEqual(['composed', 'decomposed']);
  });

  test('is answered also when the loader throws before it returns a promise', async () => {
    const { cache } = createCacheWorld();
    const broken = cache.get('key', () => {
      throw new Error('at once');
    });
    await expect(broken).rejects.toThrow('at once');
  });
});

describe('a value in hand', () => {
  test('is handed out until its end and not a millisecond longer', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'value', { freshFor: LIFE.usableFor });
    await world.clock.advance(LIFE.usableFor - 1);
    expect(await world.get('key')).toBe('value');
    await world.clock.advance(1);
    const load = await world.startLoad('key');
    await load.bring('next');
    expect(await world.get('key')).toBe('next');
  });

  test('is handed out at once, before anything else can run', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'value');
    let answered = false;
    void world.get('key').then(() => {
      answered = true;
    });
    for (let turn = 0; turn < 3; turn += 1) await Promise.resolve();
    expect(answered).toBe(true);
    expect(world.loads).toHaveLength(1);
  });

  test('is handed out also to a caller who has given up already', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'value');
    expect(await world.get('key', AbortSignal.abort())).toBe('value');
  });

  test('that was of no use on arrival goes to those who waited for it and is not kept', async () => {
    const world = createCacheWorld();
    const answer = world.get('key');
    await settle();
    await world.loads[0]?.bring('dead', { freshFor: -1, usableFor: 0 });
    expect(await answer).toBe('dead');
    expect(world.cache.size).toBe(0);
    await world.startLoad('key');
  });

  test('is of no use when its lifetime is not a number', async () => {
    const world = createCacheWorld();
    await world.fill('key', 'value', { freshFor: Number.NaN, usableFor: Number.NaN });
    await world.startLoad('key');
  });
});

describe('a failure', () => {
  test('is remembered exactly as long as is said of it', async () => {
    const world = createCacheWorld();
    const refusal = new Remembered('refused', 2000);
    await (await world.startLoad('key')).fail(refusal);
    await world.clock.advance(1999);
    await expect(world.get('key')).rejects.toBe(refusal);
    expect(world.loads).toHaveLength(1);
    await world.clock.advance(1);
    await world.startLoad('key');
  });

  test('is not remembered longer because it is asked for again', async () => {
    const world = createCacheWorld();
    await (await world.startLoad('key')).fail(new Remembered('refused', 2000));
    for (let asked = 0; asked < 3; asked += 1) {
      await world.clock.advance(600);
      await expect(world.get('key')).rejects.toThrow('refused');
    }
    await world.clock.advance(200);
    await world.startLoad('key');
  });

  test('of which nothing is said is not remembered at all', async () => {
    const world = createCacheWorld();
    await (await world.startLoad('key')).fail(new Error('lost'));
    await world.startLoad('key');
  });

  test('is forgotten once there is a value', async () => {
    const world = createCacheWorld();
    await (await world.startLoad('key')).fail(new Remembered('refused', 2000));
    await world.clock.advance(2000);
    await world.fill('key', 'value', { usableFor: 1 });
    await world.clock.advance(1);
    await world.startLoad('key');
  });

  test('of one key is not that of another', async () => {
    const world = createCacheWorld();
    await (await world.startLoad('key')).fail(new Remembered('refused', 2000));
    await world.startLoad('another');
  });

  test('is remembered before anybody can ask again', async () => {
    const world = createCacheWorld();
    const load = await world.startLoad('key');
    void load.fail(new Remembered('refused', 2000));
    for (let turn = 0; turn < 20; turn += 1) {
      void world.get('key');
      await Promise.resolve();
    }
    await settle();
    expect(world.loads).toHaveLength(1);
  });

  test('is remembered also when all who waited have given up', async () => {
    const world = createCacheWorld();
    const impatient = new AbortController();
    const load = await world.startLoad('key', impatient.signal);
    impatient.abort();
    await load.fail(new Remembered('refused', 2000));
    await expect(world.get('key')).rejects.toThrow('refused');
    expect(world.loads).toHaveLength(1);
  });
});

test('nothing waits once all loads have ended', async () => {
  const world = createCacheWorld();
  await world.fill('key', 'value');
  await (await world.startLoad('another')).fail(new Error('no'));
  expect(world.clock.timers).toBe(0);
});
