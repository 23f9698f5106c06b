import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { readSettled, type WatchedValue, watchValue } from '../../src/base/watched-value.ts';
import { createFakeClock, type FakeClock, settle } from '../fakes/clock.ts';

interface Thing {
  /** What the thing is read from now; an error is what reading it fails with. */
  content: string | SvidxError;
  fingerprint: string;
  reads: number;
  readonly values: string[];
  readonly troubles: string[];
  readonly clock: FakeClock;
  readonly watched: WatchedValue<string>;
  poll(): Promise<void>;
}

async function watch(refuse?: (value: string) => void): Promise<Thing> {
  const clock = createFakeClock();
  const thing = {
    content: 'first' as string | SvidxError,
    fingerprint: '1',
    reads: 0,
    values: [] as string[],
    troubles: [] as string[],
    clock,
    async poll() {
      await clock.advance(2_000);
      await settle();
    },
  };
  const watched = await watchValue<string>({
    clock,
    intervalMs: 2_000,
    fingerprint: async () => thing.fingerprint,
    read: async () => {
      thing.reads += 1;
      if (thing.content instanceof SvidxError) throw thing.content;
      return thing.content;
    },
    onValue(value) {
      refuse?.(value);
      thing.values.push(value);
    },
    onTrouble: ({ message }) => void thing.troubles.push(message),
  });
  return Object.assign(thing, { watched });
}

function trouble(message: string): SvidxError {
  return new SvidxError('policy_invalid', message);
}

describe('a watched value', () => {
  test('is read once, and again only when what it comes from has changed', async () => {
    const thing = await watch();
    await thing.poll();
    await thing.poll();
    expect([thing.watched.current(), thing.reads, thing.values]).toEqual(['first', 1, []]);
    thing.content = 'second';
    await thing.poll();
    expect(thing.watched.current()).toBe('first');
    thing.fingerprint = '2';
    await thing.poll();
    expect([thing.watched.current(), thing.reads, thing.values]).toEqual(['second', 2, ['second']]);
    expect(thing.watched.lastGoodAt()).toBe(thing.clock.now());
  });

  test('stays through trouble, which is told once, and is read again at each poll although nothing changed', async () => {
    const thing = await watch();
    const readAt = thing.watched.lastGoodAt();
    Object.assign(thing, { fingerprint: '2', content: trouble('too many open files') });
    await thing.poll();
    await thing.poll();
    await thing.poll();
    expect([thing.watched.current(), thing.reads, thing.troubles]).toEqual(['first', 4, ['too many open files']]);
    expect(thing.watched.trouble()?.message).toBe('too many open files');
    expect(thing.watched.lastGoodAt()).toBe(readAt);
    thing.content = 'second';
    await thing.poll();
    expect([thing.watched.current(), thing.watched.trouble()]).toEqual(['second', undefined]);
    await thing.poll();
    expect(thing.reads).toBe(5);
  });

  test('tells of other trouble, and of the same trouble with something else', async () => {
    const thing = await watch();
    Object.assign(thing, { fingerprint: '2', content: trouble('a') });
    await thing.poll();
    thing.content = trouble('b');
    await thing.poll();
    thing.fingerprint = '3';
    await thing.poll();
    expect(thing.troubles).toEqual(['a', 'b', 'b']);
  });

  test('that is refused by whoever is told of it is not taken', async () => {
    const thing = await watch((value) => {
      if (value === 'bad') throw trouble('refused');
    });
    Object.assign(thing, { fingerprint: '2', content: 'bad' });
    await thing.poll();
    expect([thing.watched.current(), thing.troubles]).toEqual(['first', ['refused']]);
  });

  test('ends up as it is now, however many looks are taken at once, each change read once', async () => {
    const thing = await watch();
    Object.assign(thing, { fingerprint: '2', content: 'second' });
    await Promise.all([thing.watched.check(), thing.watched.check(), thing.watched.check()]);
    expect([thing.watched.current(), thing.reads]).toEqual(['second', 2]);
  });

  test('is left alone once it is closed, a look under way included', async () => {
    const thing = await watch();
    Object.assign(thing, { fingerprint: '2', content: 'second' });
    const looking = thing.watched.check();
    thing.watched.close();
    await looking;
    await thing.poll();
    expect([thing.watched.current(), thing.values]).toEqual(['first', []]);
  });

  test('that cannot be read the first time is an error', async () => {
    const reading = watchValue({
      clock: createFakeClock(),
      intervalMs: 2_000,
      fingerprint: async () => '1',
      read: () => Promise.reject(trouble('nothing there')),
      onValue: () => {},
      onTrouble: () => {},
    });
    await expect(reading).rejects.toThrow('nothing there');
  });
});

describe('what has several parts', () => {
  test('is read anew while it changes, what is wrong with it included', async () => {
    const fingerprints = ['1', '2', '2', '3', '3', '3'];
    const reads = ['half', 'bad', 'whole'];
    const settled = await readSettled(
      async () => fingerprints.shift() ?? '3',
      async () => {
        const read = reads.shift();
        if (read === 'bad') throw trouble('half of another');
        return read;
      },
    );
    expect(settled).toEqual({ value: 'whole' });
  });

  test('is given up when it never stands still, and its error is passed on when it does', async () => {
    let changes = 0;
    const restless = async (): Promise<string> => {
      changes += 1;
      return String(changes);
    };
    expect(await readSettled(restless, async () => 'x')).toBeUndefined();
    expect(changes).toBe(10);
    await expect(
      readSettled(
        async () => 'still',
        () => Promise.reject(trouble('really bad')),
      ),
    ).rejects.toThrow('really bad');
  });
});
