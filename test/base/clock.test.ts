import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { createFakeClock } from '../fakes/clock.ts';

/** Resolves when the system clock calls back. */
function calledBack(ms: number): Promise<'called'> {
  return new Promise((resolve) => systemClock.after(ms, () => resolve('called')));
}

describe('the system clock', () => {
  test('tells the time in milliseconds since 1970', () => {
    const before = Date.now();
    const now = systemClock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });

  test.each([0, 1, -1, -1e9])('calls back after %d ms, no wait being shorter than none', async (ms) => {
    expect(await calledBack(ms)).toBe('called');
  });

  test.each([2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])(
    'does not call back at once for being asked for more than it can count: %d ms',
    async (ms) => {
      let called = false;
      const timer = systemClock.after(ms, () => {
        called = true;
      });
      await calledBack(3);
      expect(called).toBe(false);
      timer.cancel();
    },
  );

  test('does not call back after it was cancelled, once or twice', async () => {
    let called = false;
    const timer = systemClock.after(0, () => {
      called = true;
    });
    timer.cancel();
    timer.cancel();
    await calledBack(3);
    expect(called).toBe(false);
  });

  test('does not keep the process alive', () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const timer = systemClock.after(60_000, () => {});
    expect(timers()).toBe(before);
    timer.cancel();
  });
});

describe('sleep', () => {
  test('ends when its time has come', async () => {
    const clock = createFakeClock();
    let awake = false;
    const slept = sleep(clock, 1000).then(() => {
      awake = true;
    });
    await clock.advance(999);
    expect(awake).toBe(false);
    await clock.advance(1);
    await slept;
    expect(awake).toBe(true);
  });

  test('ends with the reason as soon as it is aborted, and leaves no timer', async () => {
    const clock = createFakeClock();
    const controller = new AbortController();
    const slept = sleep(clock, 1000, controller.signal);
    await clock.advance(500);
    controller.abort(new Error('stopped'));
    await expect(slept).rejects.toThrow('stopped');
    expect(clock.timers).toBe(0);
  });

  test('does not begin where it is aborted already', async () => {
    const clock = createFakeClock();
    await expect(sleep(clock, 0, AbortSignal.abort('gone'))).rejects.toBe('gone');
    expect(clock.timers).toBe(0);
  });

  test('leaves no listener on the signal', async () => {
    const clock = createFakeClock();
    const controller = new AbortController();
    const slept = sleep(clock, 1000, controller.signal);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    await clock.advance(1000);
    await slept;
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    controller.abort();
  });

  test('works with the system clock', async () => {
    await sleep(systemClock, 1);
    await expect(sleep(systemClock, 60_000, AbortSignal.timeout(1))).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
