import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/clock.ts';
import { createCacheWorld, LOAD_TIMEOUT_MS, Remembered } from '../support/cache-world.ts';

describe('a caller who gives up', () => {
  test('gets the reason, and the load goes on for the others', async () => {
    const world = createCacheWorld();
    const impatient = new AbortController();
    const left = world.get('key', impatient.signal);
    const right = world.get('key');
    await settle();
    impatient.abort(new Error('too slow'));
    await expect(left).rejects.toThrow('too slow');
    expect(world.loads[0]?.signal.aborted).toBe(false);
    await world.loads[0]?.bring('value');
    expect(await right).toBe('value');
    expect(world.loads).toHaveLength(1);
  });

  test('leaves a load that is of use to the next', async () => {
    const world = createCacheWorld();
    const impatient = new AbortController();
    const load = await world.startLoad('key', impatient.signal);
    impatient.abort();
    const next = world.get('key');
    await load.bring('value');
    expect(await next).toBe('value');
    expect(world.loads).toHaveLength(1);
  });

  test('before asking starts nothing', async () => {
    const world = createCacheWorld();
    await expect(world.get('key', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    await settle();
    expect(world.loads).toEqual([]);
  });

  test('is not a failure of the key', async () => {
    const world = createCacheWorld({ rememberFailureMs: () => 60_000 });
    const impatient = new AbortController();
    const load = await world.startLoad('key', impatient.signal);
    impatient.abort(new Error('too slow'));
    await load.bring('value');
    expect(await world.get('key')).toBe('value');
  });

  test('leaves no listener behind', async () => {
    const world = createCacheWorld();
    const { signal } = new AbortController();
    void world.get('key', signal);
    void world.get('key', signal);
    await settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(2);
    await world.loads[0]?.bring('value');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a load that takes too long', () => {
  test('is aborted, and all who waited are told', async () => {
    const world = createCacheWorld();
    const answers = [world.get('key'), world.get('key')];
    await settle();
    await world.clock.advance(LOAD_TIMEOUT_MS - 1);
    expect(world.loads[0]?.signal.aborted).toBe(false);
    await world.clock.advance(1);
    for (const answer of answers) await expect(answer).rejects.toThrow('the load took too long');
    expect(world.loads[0]?.signal).toMatchObject({ aborted: true, reason: { message: 'the load took too long' } });
    await world.startLoad('key');
  });

  test('has its value thrown away when it comes after all', async () => {
    const world = createCacheWorld();
    const late = await world.startLoad('key');
    await world.clock.advance(LOAD_TIMEOUT_MS);
    await late.bring('late');
    expect(world.cache.size).toBe(0);
    const load = await world.startLoad('key');
    await load.bring('in time');
    expect(await world.get('key')).toBe('in time');
  });

  test('does not overwrite what a later one brought', async () => {
    const world = createCacheWorld();
    const late = await world.startLoad('key');
    await world.clock.advance(LOAD_TIMEOUT_MS);
    await world.fill('key', 'in time');
    await late.bring('late');
    expect(await world.get('key')).toBe('in time');
  });

  test('is remembered like other failures, and its late error is of no account', async () => {
    const world = createCacheWorld({ timeoutError: () => new Remembered('no answer', 500) });
    const late = await world.startLoad('key');
    await world.clock.advance(LOAD_TIMEOUT_MS);
    await late.fail(new Remembered('late', 60_000));
    await expect(world.get('key')).rejects.toThrow('no answer');
    await world.clock.advance(500);
    await world.startLoad('key');
  });
});
