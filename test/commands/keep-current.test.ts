import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { keepCurrent } from '../../src/commands/keep-current.ts';
import { createFakeBundleSource } from '../fakes/bundle-source.ts';
import { createFakeClock, settle } from '../fakes/clock.ts';
import { createMemoryLog } from '../fakes/log.ts';

/** A writer in the hands of the test: what it does next, and how often it did something. */
function start() {
  const clock = createFakeClock();
  const bundles = createFakeBundleSource();
  const log = createMemoryLog();
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const writer = { next: () => Promise.resolve(), writes: 0, underWay: 0 };
  const write = async (): Promise<void> => {
    writer.writes += 1;
    writer.underWay += 1;
    expect(writer.underWay).toBe(1);
    await writer.next().finally(() => {
      writer.underWay -= 1;
    });
  };
  const done = keepCurrent({ write, bundles, clock, logger: log.logger, stopped });
  return { clock, bundles, log, writer, stop, done };
}

const failure = () => Promise.reject(new SvidxError('usage_invalid', 'no space left'));

describe('what is kept current', () => {
  test('is written at once, and after each change', async () => {
    const { bundles, writer, stop, done, clock } = start();
    await settle();
    expect(writer.writes).toBe(1);
    bundles.set([]);
    await settle();
    expect(writer.writes).toBe(2);
    stop();
    await done;
    expect(clock.timers).toBe(0);
  });

  test('is written anew ten seconds after a failure, for as long as it takes', async () => {
    const { clock, log, writer } = start();
    writer.next = failure;
    await settle();
    for (let attempt = 1; attempt < 5; attempt += 1) {
      const { writes } = writer;
      await clock.advance(9_999);
      expect(writer.writes).toBe(writes);
      await clock.advance(1);
      expect(writer.writes).toBe(writes + 1);
      expect(clock.timers).toBe(1);
    }
    writer.next = () => Promise.resolve();
    await clock.advance(10_000);
    expect(clock.timers).toBe(0);
    expect(log.entries().every(({ event }) => event === 'issuer.export_failed')).toBe(true);
  });

  test('is written by one at a time, and the last write is waited for', async () => {
    const { bundles, writer, stop, done } = start();
    let finish = (): void => {};
    writer.next = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    bundles.set([]);
    bundles.set([]);
    await settle();
    stop();
    let ended = false;
    void done.then(() => {
      ended = true;
    });
    for (let write = 0; write < 3; write += 1) {
      await settle();
      expect(ended).toBe(false);
      finish();
    }
    await done;
    expect(writer.writes).toBe(3);
  });

  test('is left alone after the end, whatever failed', async () => {
    const { clock, bundles, writer, stop, done } = start();
    writer.next = failure;
    await settle();
    stop();
    await done;
    const { writes } = writer;
    bundles.set([]);
    await clock.advance(60_000);
    expect([writer.writes, clock.timers]).toEqual([writes, 0]);
  });
});
