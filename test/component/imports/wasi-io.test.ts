import { describe, expect, test } from 'vitest';
import {
  InputStream,
  IoError,
  monotonicNow,
  OutputStream,
  Pollable,
  poll,
} from '../../../src/component/imports/wasi-io.ts';

const LONG_AGO = 0n;
const IN_A_YEAR = 31_536_000_000_000_000n;

describe('pollables', () => {
  test('are ready when their time has come, and not before', () => {
    expect(new Pollable().ready()).toBe(true);
    expect(new Pollable(LONG_AGO).ready()).toBe(true);
    expect(new Pollable(monotonicNow()).ready()).toBe(true);
    expect(new Pollable(monotonicNow() + IN_A_YEAR).ready()).toBe(false);
  });

  test('block until then and no longer', () => {
    new Pollable().block();
    const soon = new Pollable(monotonicNow() + 2_000_000n);
    expect(soon.ready()).toBe(false);
    soon.block();
    expect(soon.ready()).toBe(true);
  });

  test('are polled by their index: those that are ready, in order', () => {
    const [ready, never] = [new Pollable(), new Pollable(monotonicNow() + IN_A_YEAR)];
    expect([...poll([ready])]).toEqual([0]);
    expect([...poll([never, ready, never, ready])]).toEqual([1, 3]);
    expect(poll([ready])).toBeInstanceOf(Uint32Array);
  });

  test('are polled until the first is ready, wherever it stands', () => {
    const first = new Pollable(monotonicNow() + 2_000_000n);
    expect([...poll([new Pollable(monotonicNow() + IN_A_YEAR), first])]).toEqual([1]);
    expect(first.ready()).toBe(true);
  });

  test('polling none is a trap, as WASI has it, and not an answer for ever', () => {
    expect(() => poll([])).toThrow(TypeError);
  });

  test('the clock never goes back and counts nanoseconds', () => {
    const readings = Array.from({ length: 1000 }, monotonicNow);
    expect(readings.every((reading, index) => index === 0 || reading >= (readings[index - 1] ?? 0n))).toBe(true);
    expect(typeof readings[0]).toBe('bigint');
  });
});

describe('streams', () => {
  test.each(['read', 'blockingRead', 'skip', 'blockingSkip'] as const)('input is at its end: %s', (method) => {
    const thrown = caught(() => new InputStream()[method]());
    // jco hands on as the error of a result what is thrown and is no Error.
    expect(thrown).toEqual({ tag: 'closed' });
    expect(thrown).not.toBeInstanceOf(Error);
  });

  test('output takes everything and keeps nothing', () => {
    const output = new OutputStream();
    expect(output.checkWrite()).toBe(65_536n);
    output.write();
    output.blockingWriteAndFlush();
    output.flush();
    output.blockingFlush();
    output.writeZeroes();
    output.blockingWriteZeroesAndFlush();
    expect(Object.keys(output)).toEqual([]);
  });

  test.each(['splice', 'blockingSplice'] as const)('there is nothing to move from one to the other: %s', (method) => {
    expect(caught(() => new OutputStream()[method]())).toEqual({ tag: 'closed' });
  });

  test('neither is ever waited for', () => {
    expect([new InputStream().subscribe().ready(), new OutputStream().subscribe().ready()]).toEqual([true, true]);
  });

  test('an error, of which there is none, says nothing', () => {
    expect(new IoError().toDebugString()).toBe('no further information');
  });
});

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('nothing was thrown');
}
