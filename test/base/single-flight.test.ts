import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createSingleFlight, type SingleFlight } from '../../src/base/single-flight.ts';
import { createFakeClock, type FakeClock, settle } from '../fakes/clock.ts';

const LIMIT_MS = 1000;

interface World {
  readonly flights: SingleFlight<string>;
  readonly clock: FakeClock;
  readonly failures: (readonly [string, unknown])[];
}

function createWorld(): World {
  const clock = createFakeClock();
  const failures: (readonly [string, unknown])[] = [];
  const flights = createSingleFlight<string>({
    clock,
    timeoutMs: LIMIT_MS,
    timeoutError: () => new Error('time is up'),
    onFailure: (key, error) => failures.push([key, error]),
  });
  return { flights, clock, failures };
}

/** Work that ends when the test says so. */
function openWork() {
  const signals: AbortSignal[] = [];
  let end = { resolve: (_: string): void => {}, reject: (_: unknown): void => {} };
  const promise = new Promise<string>((resolve, reject) => {
    end = { resolve, reject };
  });
  return {
    ...end,
    signals,
    run(signal: AbortSignal): Promise<string> {
      signals.push(signal);
      return promise;
    },
  };
}

describe('a flight', () => {
  test('is started once for all who want it, and the others join it', async () => {
    const { flights } = createWorld();
    const work = openWork();
    const never = (): Promise<string> => Promise.reject(new Error('a second flight'));
    const first = flights.run('key', work.run);
    const joined = Array.from({ length: 100 }, () => flights.run('key', never));
    await settle();
    expect(work.signals).toHaveLength(1);
    work.resolve('value');
    expect(new Set(await Promise.all([first, ...joined]))).toEqual(new Set(['value']));
  });

  test('is under way from the moment it is asked for until it has ended', async () => {
    const { flights } = createWorld();
    const work = openWork();
    const answer = flights.run('key', work.run);
    expect([flights.has('key'), flights.has('other'), flights.size]).toEqual([true, false, 1]);
    work.resolve('value');
    await answer;
    expect([flights.has('key'), flights.size]).toEqual([false, 0]);
  });

  test.each(['', '__proto__', 'constructor'])('for %j is one like any other', async (key) => {
    const { flights } = createWorld();
    expect(flights.has(key)).toBe(false);
    expect(await flights.run(key, async () => 'value')).toBe('value');
  });

  test('leaves no timer behind, whether it succeeds or fails', async () => {
    const { flights, clock } = createWorld();
    await flights.run('key', async () => 'value');
    await flights.run('key', () => Promise.reject(new Error('no'))).catch(() => {});
    expect(clock.timers).toBe(0);
  });

  test('is followed by another when it has ended', async () => {
    const { flights } = createWorld();
    expect(await flights.run('key', async () => 'one')).toBe('one');
    expect(await flights.run('key', async () => 'two')).toBe('two');
  });
});

describe('a flight that fails', () => {
  test('gives each who waited the very error, and is told once', async () => {
    const { flights, failures } = createWorld();
    const work = openWork();
    const answers = [1, 2, 3].map(() => flights.run('key', work.run).catch((error: unknown) => error));
    const error = new Error('no');
    work.reject(error);
    expect(await Promise.all(answers)).toEqual([error, error, error]);
    expect(failures).toEqual([['key', error]]);
  });

  test('is told before those who waited are, and when another can start', async () => {
    const order: string[] = [];
    const flights = createSingleFlight<string>({
      clock: createFakeClock(),
      timeoutMs: LIMIT_MS,
      timeoutError: () => new Error('time is up'),
      onFailure: (key) => order.push(`told, under way: ${flights.has(key)}`),
    });
    await flights.run('key', () => Promise.reject(new Error('no'))).catch(() => order.push('waited'));
    expect(order).toEqual(['told, under way: false', 'waited']);
  });

  test.each([
    [
      'at once',
      () => {
        throw new Error('no');
      },
    ],
    ['later', () => Promise.reject(new Error('no'))],
  ])('%s is an answer, not an exception', async (_, work) => {
    const { flights, failures } = createWorld();
    const answer = flights.run('key', work);
    await expect(answer).rejects.toThrow('no');
    expect(failures).toHaveLength(1);
    expect(flights.size).toBe(0);
  });

  test('with nothing at all is one all the same', async () => {
    const { flights, failures } = createWorld();
    await expect(flights.run('key', () => Promise.reject(undefined))).rejects.toBeUndefined();
    expect(failures).toEqual([['key', undefined]]);
  });
});

describe('the time limit', () => {
  test('aborts the work and gives its reason to all who wait', async () => {
    const { flights, clock, failures } = createWorld();
    const work = openWork();
    const answers = [flights.run('key', work.run), flights.run('key', work.run)];
    const outcomes = Promise.allSettled(answers);
    await settle();
    await clock.advance(LIMIT_MS - 1);
    expect(work.signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    const reason = new Error('time is up');
    expect(await outcomes).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    expect(work.signals[0]).toMatchObject({ aborted: true, reason });
    expect(failures).toEqual([['key', reason]]);
  });

  test('holds for work that never looks at its signal, whose late outcome reaches nobody', async () => {
    const { flights, clock, failures } = createWorld();
    const late = openWork();
    const answer = flights.run('key', late.run);
    const outcome = expect(answer).rejects.toThrow('time is up');
    await clock.advance(LIMIT_MS);
    await outcome;
    const next = flights.run('key', async () => 'next');
    late.reject(new Error('late'));
    expect(await next).toBe('next');
    expect(failures).toHaveLength(1);
  });

  test('begins with the flight, not with those who join it', async () => {
    const { flights, clock } = createWorld();
    const work = openWork();
    const first = flights.run('key', work.run).catch((error: unknown) => error);
    await clock.advance(LIMIT_MS - 1);
    const joined = flights.run('key', work.run).catch((error: unknown) => error);
    await clock.advance(1);
    expect(await Promise.all([first, joined])).toEqual([new Error('time is up'), new Error('time is up')]);
  });
});

describe('one who gives up', () => {
  test('gets the reason of the signal, and the flight goes on', async () => {
    const { flights } = createWorld();
    const work = openWork();
    const impatient = new AbortController();
    const left = flights.run('key', work.run, impatient.signal);
    const right = flights.run('key', work.run);
    await settle();
    impatient.abort(new Error('too slow'));
    await expect(left).rejects.toThrow('too slow');
    expect(work.signals[0]?.aborted).toBe(false);
    work.resolve('value');
    expect(await right).toBe('value');
  });

  test('when all do, the flight still goes on', async () => {
    const { flights } = createWorld();
    const work = openWork();
    const impatient = new AbortController();
    const left = flights.run('key', work.run, impatient.signal);
    impatient.abort();
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
    expect(flights.has('key')).toBe(true);
    work.reject(new Error('nobody listens'));
    await settle();
    expect(flights.has('key')).toBe(false);
  });

  test('before asking starts nothing and joins nothing', async () => {
    const { flights } = createWorld();
    const work = openWork();
    await expect(flights.run('key', work.run, AbortSignal.abort('gone'))).rejects.toBe('gone');
    await settle();
    expect(work.signals).toEqual([]);
    expect(flights.size).toBe(0);
  });

  test('after the outcome changes nothing', async () => {
    const { flights } = createWorld();
    const patient = new AbortController();
    const answer = flights.run('key', async () => 'value', patient.signal);
    await settle();
    patient.abort();
    expect(await answer).toBe('value');
    expect(getEventListeners(patient.signal, 'abort')).toEqual([]);
  });
});
