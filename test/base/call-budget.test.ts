import { describe, expect, test } from 'vitest';
import { type CallBudgetOptions, createCallBudget } from '../../src/base/call-budget.ts';
import { createFakeClock, settle } from '../fakes/clock.ts';

const NEVER = new AbortController().signal;

/** A budget, and calls whose ends are in the test's hands. Each is named `who` and a number. */
function setUp(options: Partial<CallBudgetOptions> = {}) {
  const clock = createFakeClock();
  const budget = createCallBudget({
    clock,
    perSecond: 10,
    maxRunning: 1_000,
    maxRunningOfOne: 1_000,
    maxWaitMs: 5_000,
    tooLongError: () => new Error('waited for too long'),
    ...options,
  });
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    clock,
    budget,
    started,
    call(name: string, signal = NEVER): Promise<string> {
      const work = (): Promise<string> => {
        started.push(name);
        return new Promise((resolve) => ends.set(name, () => resolve(name)));
      };
      const result = budget.run(name.replace(/\d+$/, ''), work, signal);
      result.catch(() => {});
      return result;
    },
    async end(name: string): Promise<void> {
      ends.get(name)?.();
      await settle();
    },
  };
}

const names = (who: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${who}${index}`);

describe('calls per second', () => {
  test("a second's worth begins at once, the rest one after the other, in order", async () => {
    const { clock, started, call } = setUp();
    for (const name of names('a', 15)) void call(name);
    await settle();
    expect(started).toEqual(names('a', 10));
    await clock.advance(99);
    expect(started).toHaveLength(10);
    await clock.advance(1);
    expect(started).toHaveLength(11);
    await clock.advance(400);
    expect(started).toEqual(names('a', 15));
  });

  test('a thousand callers get what the rate allows until they give up, and no timer is left', async () => {
    const { clock, started, call } = setUp();
    const results = names('a', 1000).map((name) => call(name));
    await clock.advance(5_000);
    // Ten at once, and ten in each of five seconds; the very last moment goes to those who give up or begin.
    expect(started.length).toBeGreaterThanOrEqual(59);
    expect(started.length).toBeLessThanOrEqual(60);
    await expect(results.at(-1)).rejects.toThrow('waited for too long');
    expect(clock.timers).toBe(0);
  });
});

describe('calls at the same time', () => {
  test('so many of all together; one that ends makes room for one', async () => {
    const { started, call, end } = setUp({ maxRunning: 2 });
    for (const name of ['a0', 'b0', 'c0', 'd0']) void call(name);
    await settle();
    expect(started).toEqual(['a0', 'b0']);
    await end('b0');
    expect(started).toEqual(['a0', 'b0', 'c0']);
  });

  test('so many of one caller: what hangs of one leaves room for the others', async () => {
    const { started, call, end } = setUp({ maxRunning: 4, maxRunningOfOne: 2 });
    for (const name of [...names('a', 6), 'b0', 'c0', 'd0']) void call(name);
    await settle();
    expect(started).toEqual(['a0', 'a1', 'b0', 'c0']);
    await end('a0');
    expect(started.slice(4)).toEqual(['a2']);
    await end('b0');
    expect(started.slice(5)).toEqual(['d0']);
    await end('c0');
    expect(started).toHaveLength(6);
  });

  test('work that fails makes room too, and its error goes through', async () => {
    const { budget, started, call } = setUp({ maxRunning: 1 });
    const failing = budget.run('x', () => Promise.reject(new Error('no')), NEVER);
    const next = call('a0');
    await expect(failing).rejects.toThrow('no');
    await settle();
    expect(started).toEqual(['a0']);
    next.catch(() => {});
  });
});

describe('turns', () => {
  test('go round among those who wait: one that asks for much delays another by one call', async () => {
    const { clock, started, call } = setUp();
    for (const name of names('greedy', 40)) void call(name);
    await settle();
    void call('small0');
    void call('small1');
    void call('other0');
    await clock.advance(500);
    expect(started.slice(10)).toEqual(['greedy10', 'small0', 'other0', 'greedy11', 'small1']);
  });
});

describe('somebody who waits', () => {
  test('gives up after the longest wait', async () => {
    const { clock, call, started } = setUp({ maxRunning: 1 });
    void call('a0');
    const waiting = call('b0');
    await clock.advance(4_999);
    const outcome = expect(waiting).rejects.toThrow('waited for too long');
    await clock.advance(1);
    await outcome;
    expect(started).toEqual(['a0']);
    expect(clock.timers).toBe(0);
  });

  test('may be taken out of the line, and the one behind moves up', async () => {
    const { clock, call, started, end } = setUp({ maxRunning: 1 });
    const abort = new AbortController();
    void call('a0');
    const waiting = call('b0', abort.signal);
    void call('b1');
    await settle();
    const reason = new Error('given up');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await end('a0');
    expect(started).toEqual(['a0', 'b1']);
    expect(clock.timers).toBe(0);
  });

  test('does not even wait when it has given up before', async () => {
    const { call, started } = setUp();
    const reason = new Error('given up');
    await expect(call('a0', AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(started).toEqual([]);
  });

  test('leaves no line and no timer behind, when the last of the line goes', async () => {
    const { clock, call, started } = setUp({ perSecond: 1 });
    const abort = new AbortController();
    void call('a0');
    const waiting = call('b0', abort.signal);
    abort.abort(new Error('given up'));
    await expect(waiting).rejects.toThrow('given up');
    expect(clock.timers).toBe(0);
    await clock.advance(1_000);
    void call('c0');
    await settle();
    expect(started).toEqual(['a0', 'c0']);
  });
});

describe('a pause', () => {
  test('holds those who come and those in line; afterwards they begin', async () => {
    const { clock, budget, call, started } = setUp();
    budget.pause(2_000);
    expect(budget.paused).toBe(true);
    void call('a0');
    await clock.advance(1_999);
    expect(started).toEqual([]);
    await clock.advance(1);
    expect(started).toEqual(['a0']);
    expect(budget.paused).toBe(false);
  });

  test('is not shortened by another, and holds a line that waits for the rate', async () => {
    const { clock, budget, call, started } = setUp({ perSecond: 1 });
    void call('a0');
    void call('a1');
    await settle();
    budget.pause(3_000);
    budget.pause(10);
    await clock.advance(2_999);
    expect(started).toEqual(['a0']);
    await clock.advance(1);
    expect(started).toEqual(['a0', 'a1']);
  });
});
