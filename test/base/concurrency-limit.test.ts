import { describe, expect, test } from 'vitest';
import { createConcurrencyLimit } from '../../src/base/concurrency-limit.ts';
import { settle } from '../fakes/clock.ts';

/** A limit, and work whose end is in the test's hands. */
function setUp(max: number) {
  const limit = createConcurrencyLimit(max);
  const started: string[] = [];
  const ends = new Map<string, { resolve: (value: string) => void; reject: (error: unknown) => void }>();
  return {
    limit,
    started,
    run(name: string, signal = new AbortController().signal): Promise<string> {
      const result = limit.run(() => {
        started.push(name);
        return new Promise<string>((resolve, reject) => ends.set(name, { resolve, reject }));
      }, signal);
      result.catch(() => {});
      return result;
    },
    async end(name: string): Promise<void> {
      ends.get(name)?.resolve(name);
      await settle();
    },
    async fail(name: string, error: unknown): Promise<void> {
      ends.get(name)?.reject(error);
      await settle();
    },
  };
}

describe('a concurrency limit', () => {
  test('runs so many at once and the rest in the order of asking, one for each that ends', async () => {
    const { limit, run, started, end } = setUp(2);
    const results = ['a', 'b', 'c', 'd'].map((name) => run(name));
    await settle();
    expect(started).toEqual(['a', 'b']);
    expect(limit.waiting).toBe(2);
    await end('b');
    expect(started).toEqual(['a', 'b', 'c']);
    await end('a');
    await end('c');
    await end('d');
    expect(await Promise.all(results)).toEqual(['a', 'b', 'c', 'd']);
    expect(limit.waiting).toBe(0);
  });

  test('gives the place of one that failed to the next, and the failure only to whose it is', async () => {
    const { run, started, fail, end } = setUp(1);
    const [bad, good] = [run('bad'), run('good')];
    await settle();
    const error = new Error('no');
    await fail('bad', error);
    await expect(bad).rejects.toBe(error);
    expect(started).toEqual(['bad', 'good']);
    await end('good');
    expect(await good).toBe('good');
  });

  test('survives work that throws at once', async () => {
    const { limit, run, end } = setUp(1);
    const thrown = limit.run(() => {
      throw new Error('at once');
    }, new AbortController().signal);
    await expect(thrown).rejects.toThrow('at once');
    const next = run('next');
    await settle();
    await end('next');
    expect(await next).toBe('next');
  });

  test('lets a waiter go with its own reason, without ever starting its work', async () => {
    const { limit, run, started, end } = setUp(1);
    const abort = new AbortController();
    void run('a');
    const gone = run('gone', abort.signal);
    void run('b');
    await settle();
    const reason = new Error('given up');
    abort.abort(reason);
    await expect(gone).rejects.toBe(reason);
    expect(limit.waiting).toBe(1);
    await end('a');
    expect(started).toEqual(['a', 'b']);
  });

  test('starts nothing for somebody who has given up before, and takes no place for it', async () => {
    const { run, started } = setUp(1);
    const reason = new Error('given up');
    await expect(run('never', AbortSignal.abort(reason))).rejects.toBe(reason);
    void run('a');
    await settle();
    expect(started).toEqual(['a']);
  });

  test('does not let anybody slip in between one that ends and the next in line', async () => {
    const { run, started, end } = setUp(1);
    void run('a');
    void run('b');
    await settle();
    const ending = end('a');
    void run('c');
    await ending;
    void run('d');
    await settle();
    expect(started).toEqual(['a', 'b']);
    await end('b');
    void run('e');
    await settle();
    expect(started).toEqual(['a', 'b', 'c']);
  });

  test('holds under 10,000, with givers-up among them', async () => {
    const limit = createConcurrencyLimit(7);
    let running = 0;
    let most = 0;
    const jobs = Array.from({ length: 10_000 }, (_, index) => {
      const abort = new AbortController();
      const result = limit.run(async () => {
        running += 1;
        most = Math.max(most, running);
        await Promise.resolve();
        running -= 1;
      }, abort.signal);
      if (index % 3 === 0) abort.abort(new Error('given up'));
      return result;
    });
    await Promise.allSettled(jobs);
    expect(most).toBe(7);
    expect(running).toBe(0);
    expect(limit.waiting).toBe(0);
  });
});
