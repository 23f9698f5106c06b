import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import type { ComponentThread } from '../../src/component/thread.ts';
import { createThreadPool, type ThreadPool } from '../../src/component/thread-pool.ts';
import { createFakeClock, type FakeClock, settle } from '../fakes/clock.ts';
import { refusal } from '../support/errors.ts';

const stopping = new SvidxError('service_stopping', 'enough');

/** A thread that does nothing, and that a test can end behind the pool's back. */
interface StillThread extends ComponentThread {
  usable: boolean;
  endedWith: SvidxError | undefined;
  /** What `ready` waits for. */
  instance: Promise<void>;
}

interface Fixture {
  readonly pool: ThreadPool;
  readonly clock: FakeClock;
  /** All that were ever started, in order. */
  readonly threads: StillThread[];
  /** Thrown instead of starting another. */
  startFailure: Error | undefined;
  /** What threads that are started from now on wait for until they have an instance. */
  instance: Promise<void>;
  /** Begins a piece of work under a name, which lasts until `finish`. */
  begin(name: string, signal?: AbortSignal): Promise<unknown>;
  finish(name: string): Promise<void>;
  /** Which work runs now, and on which thread. */
  readonly running: Map<string, number>;
}

function startPool(size: number, limits: { maxWaiting?: number } = {}): Fixture {
  const clock = createFakeClock();
  const finishers = new Map<string, () => void>();
  const ids = new Map<ComponentThread, number>();
  const fixture: Fixture = {
    clock,
    threads: [],
    startFailure: undefined,
    instance: Promise.resolve(),
    running: new Map(),
    pool: createThreadPool({
      size,
      maxWaiting: limits.maxWaiting ?? 100,
      maxWaitMs: 5_000,
      clock,
      start,
    }),
    begin: (name, signal) =>
      fixture.pool.use(async (thread) => {
        fixture.running.set(name, ids.get(thread) ?? -1);
        await new Promise<void>((resolve) => finishers.set(name, resolve));
        fixture.running.delete(name);
        return name;
      }, signal),
    async finish(name) {
      finishers.get(name)?.();
      await settle();
    },
  };
  function start(): ComponentThread {
    if (fixture.startFailure !== undefined) throw fixture.startFailure;
    const thread: StillThread = {
      usable: true,
      endedWith: undefined,
      instance: fixture.instance,
      ready: () => (thread.endedWith === undefined ? thread.instance : Promise.reject(thread.endedWith)),
      run: () => Promise.reject(new Error('nothing is run here')),
      async end(error) {
        thread.usable = false;
        thread.endedWith ??= error;
      },
    };
    ids.set(thread, fixture.threads.push(thread) - 1);
    return thread;
  }
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
    const all = names.map((name) => begin(name));
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
    for (const given of [...waiting, fixture.begin('d').catch((error: unknown) => error)]) {
      expect(await given).toMatchObject({ code: 'internal_error', cause: failure });
    }
    fixture.startFailure = undefined;
    expect(await fixture.pool.use(async () => 'fine')).toBe('fine');
  });
});

describe('the line before it', () => {
  test('is as long as was said: who comes then is told at once', async () => {
    const { begin, finish, running } = startPool(1, { maxWaiting: 2 });
    const first = begin('a');
    await settle();
    const served = [first, begin('b'), begin('c')];
    expect(await refusal(begin('d'))).toMatchObject({ code: 'component_busy' });
    for (const name of ['a', 'b', 'c']) await finish(name);
    expect(await Promise.all(served)).toEqual(['a', 'b', 'c']);
    void begin('e');
    await settle();
    expect([...running.keys()]).toEqual(['e']);
  });

  test('is left by who has waited too long, and the next one moves up', async () => {
    const { clock, begin, finish, running } = startPool(1);
    void begin('a');
    await settle();
    const late = refusal(begin('b'));
    await clock.advance(4_000);
    void begin('c');
    await clock.advance(1_000);
    expect(await late).toMatchObject({ code: 'component_busy' });
    await finish('a');
    expect([...running.keys()]).toEqual(['c']);
  });

  test('is left by who does not want it any more, with the reason', async () => {
    const { clock, begin, finish, running } = startPool(1);
    void begin('a');
    await settle();
    const controller = new AbortController();
    const given = refusal(begin('b', controller.signal));
    void begin('c');
    controller.abort(stopping);
    expect(await given).toBe(stopping);
    expect(await refusal(begin('d', controller.signal))).toBe(stopping);
    await finish('a');
    expect([...running.keys()]).toEqual(['c']);
    await finish('c');
    // What is left is the timer of the idle thread.
    expect(clock.timers).toBe(1);
  });

  test('is served by the thread that has an instance first, not by one that is still making its own', async () => {
    const fixture = startPool(2);
    const finished: unknown[] = [];
    for (const name of ['a', 'b', 'c']) void fixture.begin(name).then((done) => finished.push(done));
    await settle();
    const [first, second] = fixture.threads;
    if (first !== undefined) first.instance = new Promise(() => {});
    await fixture.finish('a');
    expect([...fixture.running]).toEqual([['b', 1]]);
    await fixture.finish('b');
    expect([...fixture.running]).toEqual([['c', 1]]);
    expect(second?.usable).toBe(true);
  });
});

describe('an idle thread', () => {
  test('is ended after a while, but for the last', async () => {
    const { clock, threads, begin, finish } = startPool(3);
    for (const name of ['a', 'b', 'c']) void begin(name);
    await settle();
    for (const name of ['a', 'b', 'c']) await finish(name);
    await clock.advance(59_999);
    expect(threads.map(({ usable }) => usable)).toEqual([true, true, true]);
    await clock.advance(1);
    expect(threads.map(({ usable }) => usable)).toEqual([false, false, true]);
    await clock.advance(600_000);
    expect(threads[2]?.usable).toBe(true);
  });

  test('counts anew after each use', async () => {
    const { clock, threads, begin, finish } = startPool(2);
    for (const name of ['a', 'b']) void begin(name);
    await settle();
    for (const name of ['a', 'b']) await finish(name);
    await clock.advance(40_000);
    void begin('c');
    await settle();
    await finish('c');
    await clock.advance(40_000);
    expect(threads.map(({ usable }) => usable)).toEqual([false, true]);
  });
});

describe('retiring it', () => {
  test('lets what runs and what waits finish, takes nothing more, and ends the threads', async () => {
    const { pool, threads, begin, finish } = startPool(1);
    const served = [begin('a'), begin('b')];
    await settle();
    let retired = false;
    const retiring = pool.retire(stopping).then(() => {
      retired = true;
    });
    expect(await refusal(begin('c'))).toBe(stopping);
    await finish('a');
    expect([retired, threads[0]?.usable]).toEqual([false, true]);
    await finish('b');
    await retiring;
    expect(await Promise.all(served)).toEqual(['a', 'b']);
    expect(threads.map(({ endedWith }) => endedWith)).toEqual([stopping]);
  });

  test('refuses who waits where it is told what with, and lets finish what runs', async () => {
    const { pool, begin, finish } = startPool(1);
    const running = begin('a');
    const waiting = [begin('b'), begin('c')].map((promise) => refusal(promise));
    await settle();
    const forWaiting = new SvidxError('policy_denied', 'not any more');
    const retiring = pool.retire(stopping, forWaiting);
    expect(await Promise.all(waiting)).toEqual([forWaiting, forWaiting]);
    expect(await refusal(begin('d'))).toBe(stopping);
    await finish('a');
    expect(await running).toBe('a');
    await retiring;
  });

  test('is done at once where nothing runs, also where nothing ever ran', async () => {
    const { pool, threads } = startPool(2);
    await pool.ready();
    await settle();
    await pool.retire(stopping);
    expect(threads.map(({ endedWith }) => endedWith)).toEqual([stopping]);
    await startPool(1).pool.retire(stopping);
  });

  test('still serves who waits where the thread before them was lost', async () => {
    const { pool, threads, begin, finish, running } = startPool(1);
    void begin('a');
    const waiting = begin('b');
    await settle();
    const retiring = pool.retire(stopping);
    await threads[0]?.end(new SvidxError('component_trapped', 'gone'));
    await finish('a');
    expect([...running]).toEqual([['b', 1]]);
    await finish('b');
    expect(await waiting).toBe('b');
    await retiring;
  });

  test('does not wait for a thread that never had an instance', async () => {
    const fixture = startPool(2);
    void fixture.begin('a');
    await settle();
    let fail = (_: Error): void => {};
    fixture.instance = new Promise((_, reject) => {
      fail = reject;
    });
    const controller = new AbortController();
    const waiting = refusal(fixture.begin('b', controller.signal));
    controller.abort(stopping);
    await waiting;
    await fixture.finish('a');
    const retiring = fixture.pool.retire(stopping);
    fail(new Error('no instance'));
    await retiring;
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
