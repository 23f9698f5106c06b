import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import type { ComponentThread } from '../../src/component/thread.ts';
import { createThreadPool, type ThreadPool } from '../../src/component/thread-pool.ts';
import { settle } from '../fakes/clock.ts';
import { refusal } from '../support/errors.ts';

const stopping = new SvidxError('service_stopping', 'enough');

/** A thread that does nothing, and that a test can end behind the pool's back. */
interface StillThread extends ComponentThread {
  usable: boolean;
  endedWith: SvidxError | undefined;
}

interface Fixture {
  readonly pool: ThreadPool;
  /** All that were ever started, in order. */
  readonly threads: StillThread[];
  /** Thrown instead of starting another. */
  startFailure: Error | undefined;
  /** Begins a piece of work under a name, which lasts until `finish`. */
  begin(name: string): Promise<unknown>;
  finish(name: string): Promise<void>;
  /** Which work runs now, and on which thread. */
  readonly running: Map<string, number>;
}

function startPool(size: number): Fixture {
  const finishers = new Map<string, () => void>();
  const ids = new Map<ComponentThread, number>();
  const fixture: Fixture = {
    threads: [],
    startFailure: undefined,
    running: new Map(),
    pool: createThreadPool(size, () => {
      if (fixture.startFailure !== undefined) throw fixture.startFailure;
      const thread: StillThread = {
        usable: true,
        endedWith: undefined,
        run: () => Promise.reject(new Error('nothing is run here')),
        async end(error) {
          thread.usable = false;
          thread.endedWith ??= error;
        },
      };
      ids.set(thread, fixture.threads.push(thread) - 1);
      return thread;
    }),
    begin: (name) =>
      fixture.pool.use(async (thread) => {
        fixture.running.set(name, ids.get(thread) ?? -1);
        await new Promise<void>((resolve) => finishers.set(name, resolve));
        fixture.running.delete(name);
        return name;
      }),
    async finish(name) {
      finishers.get(name)?.();
      await settle();
    },
  };
  return fixture;
}

describe('a pool of threads', () => {
  test('starts none before it is used, and as many as are needed up to its size', async () => {
    const { threads, begin, running } = startPool(2);
    expect(threads).toHaveLength(0);
    void begin('a');
    await settle();
    expect(threads).toHaveLength(1);
    void begin('b');
    void begin('c');
    await settle();
    expect(threads).toHaveLength(2);
    expect([...running]).toEqual([
      ['a', 0],
      ['b', 1],
    ]);
  });

  test('uses a thread again, and serves those who wait in order', async () => {
    const { threads, begin, finish, running } = startPool(1);
    const names = ['a', 'b', 'c', 'd'];
    const all = names.map(begin);
    for (const name of names) {
      await settle();
      expect([...running.keys()]).toEqual([name]);
      await finish(name);
    }
    expect(await Promise.all(all)).toEqual(names);
    expect(threads).toHaveLength(1);
  });

  test('gives back the failure of the work, and the thread to the next', async () => {
    const { pool, threads } = startPool(1);
    const failure = new Error('the work failed');
    await expect(pool.use(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(await pool.use(async () => 'fine')).toBe('fine');
    expect(threads).toHaveLength(1);
  });

  test('replaces a thread that ended while it was used', async () => {
    const { threads, begin, finish, running } = startPool(1);
    void begin('a');
    void begin('b');
    await settle();
    await threads[0]?.end(stopping);
    await finish('a');
    expect([...running]).toEqual([['b', 1]]);
  });

  test('replaces a thread that ended while it was idle', async () => {
    const { threads, begin, finish, running } = startPool(2);
    void begin('a');
    void begin('b');
    await settle();
    await finish('a');
    await finish('b');
    for (const thread of threads) await thread.end(stopping);
    void begin('c');
    void begin('d');
    void begin('e');
    await settle();
    expect([...running]).toEqual([
      ['c', 2],
      ['d', 3],
    ]);
  });

  test('that cannot start a thread says so, also to those who wait, and works again when it can', async () => {
    const fixture = startPool(1);
    const failure = new Error('no more threads');
    const running = fixture.begin('a');
    const waiting = ['b', 'c'].map((name) => fixture.begin(name).catch((error: unknown) => error));
    await settle();
    fixture.startFailure = failure;
    await fixture.threads[0]?.end(stopping);
    await fixture.finish('a');
    expect(await running).toBe('a');
    expect(await Promise.all(waiting)).toEqual([failure, failure]);
    await expect(fixture.begin('d')).rejects.toBe(failure);
    fixture.startFailure = undefined;
    expect(await fixture.pool.use(async () => 'fine')).toBe('fine');
  });
});

describe('closing it', () => {
  test('ends every thread, and fails what waits and what comes later', async () => {
    const { pool, threads, begin, finish } = startPool(2);
    const idle = begin('a');
    const running = begin('b');
    await settle();
    await finish('a');
    expect(await idle).toBe('a');
    const [taken, waiting] = [begin('c'), refusal(begin('d'))];
    await pool.close(stopping);
    expect(threads.map(({ endedWith }) => endedWith)).toEqual([stopping, stopping]);
    expect(await waiting).toBe(stopping);
    expect(await refusal(begin('e'))).toBe(stopping);
    // What becomes of work under way is its thread's to say; here it ends as it would.
    for (const name of ['b', 'c']) await finish(name);
    expect(await Promise.all([running, taken])).toEqual(['b', 'c']);
    expect(threads).toHaveLength(2);
  });

  test('may be asked for again, and then has nothing to do', async () => {
    const { pool, threads } = startPool(1);
    await pool.close(stopping);
    await pool.close(stopping);
    expect(threads).toEqual([]);
  });
});
