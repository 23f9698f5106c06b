import { beforeEach, describe, expect, test } from 'vitest';
import { monotonicNow } from '../../../src/component/guest/monotonic.ts';
import {
  type ByteSink,
  type ByteSource,
  CLOSED,
  createWasiIo,
  EMPTY_SOURCE,
  InputStream,
  IoError,
  OutputStream,
  Pollable,
  timePollable,
} from '../../../src/component/imports/wasi-io.ts';
import { createFakeBorder, type FakeBorder } from '../../fakes/border.ts';
import { thrown } from '../../support/thrown.ts';

const YEAR = 31_536_000_000_000_000n;

let border: FakeBorder;
beforeEach(() => {
  border = createFakeBorder();
});

/** Calls `wasi:io/poll.poll` as jco would. */
function poll(...pollables: Pollable[]): unknown {
  const fn = createWasiIo(border)['wasi:io/poll']?.['poll'];
  if (typeof fn !== 'function') throw new Error('no poll');
  return fn(pollables);
}

function at(time: bigint): Pollable {
  return timePollable(border, time);
}

/** Bytes that a test hands out as it likes. */
class Source implements ByteSource {
  waiting: Uint8Array[] = [];
  ended = false;
  dropped = false;

  read(max: number): Uint8Array {
    const [first] = this.waiting;
    if (first === undefined) {
      if (this.ended) throw CLOSED;
      return new Uint8Array();
    }
    this.waiting.shift();
    if (first.length > max) this.waiting.unshift(first.subarray(max));
    return first.subarray(0, max);
  }

  isReady(): boolean {
    return this.ended || this.waiting.length > 0;
  }

  drop(): void {
    this.dropped = true;
  }
}

/** Keeps what it is given, and takes its bytes away as a transfer does. */
class Sink implements ByteSink {
  free = 0;
  closed = false;
  dropped = false;
  readonly taken: number[] = [];

  room(): number {
    if (this.closed) throw CLOSED;
    return this.free;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > this.free) throw new Error('more than there is room for');
    this.free -= bytes.length;
    this.taken.push(...bytes);
    const { buffer } = bytes;
    if (buffer.byteLength === bytes.byteLength) structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  }

  drop(): void {
    this.dropped = true;
  }
}

describe('pollables', () => {
  test('are ready when their time has come, and not before', () => {
    expect(at(0n).ready()).toBe(true);
    expect(at(monotonicNow()).ready()).toBe(true);
    expect(at(monotonicNow() + YEAR).ready()).toBe(false);
  });

  test('block until then and no longer', () => {
    at(0n).block();
    const soon = at(monotonicNow() + 2_000_000n);
    expect(soon.ready()).toBe(false);
    soon.block();
    expect(soon.ready()).toBe(true);
  });

  test('are polled by their index: those that are ready, in order', () => {
    const [ready, never] = [at(0n), at(monotonicNow() + YEAR)];
    expect(poll(ready)).toEqual(Uint32Array.of(0));
    expect(poll(never, ready, never, ready)).toEqual(Uint32Array.of(1, 3));
    expect(poll(ready, ready)).toEqual(Uint32Array.of(0, 1));
  });

  test('are polled until the first is ready, wherever it stands', () => {
    const first = at(monotonicNow() + 2_000_000n);
    expect(poll(at(monotonicNow() + YEAR), first)).toEqual(Uint32Array.of(1));
    expect(first.ready()).toBe(true);
  });

  test('are polled until something has come in, though a time would come later', () => {
    let arrived = false;
    border.meanwhile.push(
      () => {},
      () => {
        arrived = true;
      },
    );
    const event = new Pollable(border, () => arrived);
    expect(poll(at(monotonicNow() + YEAR), event)).toEqual(Uint32Array.of(1));
    expect(border.meanwhile).toEqual([]);
  });

  test('send what was gathered before they wait: it may be what they wait for', () => {
    poll(at(0n));
    at(0n).block();
    expect(border.flushes).toBe(2);
  });

  test('polling none is a trap, as WASI has it, and not an answer for ever', () => {
    expect(() => poll()).toThrow(RangeError);
  });

  test('the clock never goes back and counts nanoseconds', () => {
    const readings = Array.from({ length: 1000 }, monotonicNow);
    expect(readings.every((reading, index) => index === 0 || reading >= (readings[index - 1] ?? 0n))).toBe(true);
    expect(typeof readings[0]).toBe('bigint');
  });
});

describe('input', () => {
  const ways = ['read', 'blockingRead', 'skip', 'blockingSkip'] as const;

  test.each(ways)('at its end says so: %s', (method) => {
    const error = thrown(() => new InputStream(border, EMPTY_SOURCE)[method](1n));
    // jco hands on as the error of a result what is thrown and is no Error.
    expect(error).toEqual({ tag: 'closed' });
    expect(error).not.toBeInstanceOf(Error);
    expect(new InputStream(border, EMPTY_SOURCE).subscribe().ready()).toBe(true);
  });

  test.each(ways)('of nothing is nothing, and no wait: %s', (method) => {
    expect(Number(new InputStream(border, new Source())[method](0n)) || 0).toBe(0);
  });

  test('is read as far as it is there, and never beyond what is asked for', () => {
    const source = new Source();
    const input = new InputStream(border, source);
    expect(input.read(10n)).toHaveLength(0);
    source.waiting.push(Uint8Array.of(1, 2, 3), Uint8Array.of(4));
    expect(input.read(2n)).toEqual(Uint8Array.of(1, 2));
    expect(input.skip(5n)).toBe(1n);
    expect(input.blockingRead(2n ** 64n - 1n)).toEqual(Uint8Array.of(4));
  });

  test('is waited for where that is asked for, and its end counts', () => {
    const source = new Source();
    const input = new InputStream(border, source);
    border.meanwhile.push(() => source.waiting.push(Uint8Array.of(7)));
    expect(input.blockingRead(1n)).toEqual(Uint8Array.of(7));
    border.meanwhile.push(() => {
      source.ended = true;
    });
    expect(thrown(() => input.blockingSkip(1n))).toEqual(CLOSED);
  });

  test('is given in pieces that the host can bear', () => {
    const source = new Source();
    source.waiting.push(new Uint8Array(1_000_000));
    expect(new InputStream(border, source).read(2n ** 64n - 1n)).toHaveLength(65_536);
  });

  test('is let go of with its handle', () => {
    const source = new Source();
    new InputStream(border, source)[Symbol.dispose]();
    expect(source.dropped).toBe(true);
  });
});

describe('output', () => {
  let sink: Sink;
  let output: OutputStream;
  beforeEach(() => {
    sink = new Sink();
    output = new OutputStream(border, sink);
  });

  test('takes what it has permitted, in one part or several', () => {
    sink.free = 3;
    expect(output.checkWrite()).toBe(3n);
    output.write(Uint8Array.of(1));
    output.write(Uint8Array.of(2, 3));
    expect(sink.taken).toEqual([1, 2, 3]);
    expect(output.checkWrite()).toBe(0n);
  });

  test.each<[string, (output: OutputStream) => void]>([
    ['more than it has permitted', (output) => output.write(new Uint8Array(4))],
    ['zeroes beyond that', (output) => output.writeZeroes(4n)],
    ['zeroes without end', (output) => output.writeZeroes(2n ** 64n - 1n)],
  ])('traps for %s', (_, write) => {
    sink.free = 3;
    output.checkWrite();
    expect(thrown(() => write(output))).toBeInstanceOf(RangeError);
    expect(sink.taken).toEqual([]);
  });

  test('traps for what nobody has asked whether it may', () => {
    sink.free = 3;
    expect(thrown(() => output.write(Uint8Array.of(1)))).toBeInstanceOf(RangeError);
    output.write(new Uint8Array());
  });

  test.each<[string, (output: OutputStream) => void]>([
    ['a write that waits', (output) => output.blockingWriteAndFlush(new Uint8Array(3))],
    ['zeroes that wait', (output) => output.blockingWriteZeroesAndFlush(3n)],
    ['a splice', (output) => void output.splice(new InputStream(border, three()), 3n)],
    ['a splice that waits', (output) => void output.blockingSplice(new InputStream(border, three()), 3n)],
  ])('traps for what was permitted before %s took the room', (_, use) => {
    sink.free = 5;
    output.checkWrite();
    use(output);
    expect(thrown(() => output.write(new Uint8Array(3)))).toBeInstanceOf(RangeError);
    output.write(new Uint8Array(2));
  });

  function three(): Source {
    const source = new Source();
    source.waiting.push(Uint8Array.of(1, 2, 3));
    return source;
  }

  test('waits for room, again and again, until all is written', () => {
    for (const free of [2, 0, 2, 1]) {
      border.meanwhile.push(() => {
        sink.free += free;
      });
    }
    output.blockingWriteAndFlush(Uint8Array.of(1, 2, 3, 4, 5));
    expect(sink.taken).toEqual([1, 2, 3, 4, 5]);
  });

  test('writes as many zeroes as it was told, though the far side takes their buffers', () => {
    sink.free = 200_000;
    output.blockingWriteZeroesAndFlush(150_000n);
    expect(sink.taken).toHaveLength(150_000);
    output.checkWrite();
    output.writeZeroes(10n);
    expect(sink.taken).toHaveLength(150_010);
  });

  test.each<[string, (output: OutputStream) => unknown]>([
    ['checkWrite', (output) => output.checkWrite()],
    ['write', (output) => output.write(Uint8Array.of(1))],
    ['blockingWriteAndFlush', (output) => output.blockingWriteAndFlush(Uint8Array.of(1))],
    ['flush', (output) => output.flush()],
    ['blockingFlush', (output) => output.blockingFlush()],
    ['writeZeroes', (output) => output.writeZeroes(1n)],
    ['blockingWriteZeroesAndFlush', (output) => output.blockingWriteZeroesAndFlush(1n)],
    ['splice', (output) => output.splice(new InputStream(border, three()), 1n)],
    ['blockingSplice', (output) => output.blockingSplice(new InputStream(border, three()), 1n)],
  ])('that nobody wants any more says so: %s', (_, use) => {
    sink.free = 10;
    output.checkWrite();
    sink.closed = true;
    expect(thrown(() => use(output))).toEqual({ tag: 'closed' });
    expect(output.subscribe().ready()).toBe(true);
  });

  test('that closes while it is waited for says so', () => {
    border.meanwhile.push(() => {
      sink.closed = true;
    });
    expect(thrown(() => output.blockingWriteAndFlush(Uint8Array.of(1)))).toEqual(CLOSED);
  });

  test('is ready when there is room', () => {
    const pollable = output.subscribe();
    expect(pollable.ready()).toBe(false);
    sink.free = 1;
    expect(pollable.ready()).toBe(true);
  });

  test('takes from input what is there, what there is room for, and what is asked for', () => {
    const source = three();
    const input = new InputStream(border, source);
    sink.free = 2;
    expect(output.splice(input, 1n)).toBe(1n);
    expect(output.splice(input, 10n)).toBe(1n);
    expect(output.splice(input, 10n)).toBe(0n);
    sink.free = 10;
    expect(output.splice(input, 2n ** 64n - 1n)).toBe(1n);
    expect(output.splice(input, 1n)).toBe(0n);
    expect(sink.taken).toEqual([1, 2, 3]);
    source.ended = true;
    expect(thrown(() => output.splice(input, 1n))).toEqual(CLOSED);
  });

  test('waits for both where it is told to splice', () => {
    const source = new Source();
    border.meanwhile.push(
      () => {
        sink.free = 5;
      },
      () => source.waiting.push(Uint8Array.of(8, 9)),
    );
    expect(output.blockingSplice(new InputStream(border, source), 10n)).toBe(2n);
    expect(output.blockingSplice(new InputStream(border, source), 0n)).toBe(0n);
    expect(sink.taken).toEqual([8, 9]);
  });

  test('is let go of with its handle', () => {
    output[Symbol.dispose]();
    expect(sink.dropped).toBe(true);
  });
});

test('an error tells what it was made with', () => {
  expect(new IoError('connection-terminated').toDebugString()).toBe('connection-terminated');
});
