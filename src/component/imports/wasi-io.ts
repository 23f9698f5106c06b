import type { Border } from '../guest/border.ts';
import { monotonicNow } from '../guest/monotonic.ts';

/**
 * `wasi:io` 0.2 (github.com/WebAssembly/wasi-io): errors, streams, and waiting. Used inside a component's thread, where a
 * wait blocks. One set of classes a thread; whatever a component did not drop goes with its instance.
 */

/** The case of `stream-error` for a stream at its end. */
export const CLOSED = { tag: 'closed' } as const;

/** How much one `read` gives at most, and how much `write-zeroes` makes at a time: bytes. */
const MAX_READ = 64 * 1024;

/** `wasi:io/error.error`: what went wrong with a stream; other interfaces may know more of its `reason`. */
export class IoError {
  readonly reason: unknown;
  readonly #text: string;

  constructor(text: string, reason?: unknown) {
    this.#text = text;
    this.reason = reason;
  }

  toDebugString(): string {
    return this.#text;
  }
}

/** What is behind an `input-stream`. */
export interface ByteSource {
  /** At most `max` bytes, none while there are none; throws a `stream-error` at the end. */
  read(max: number): Uint8Array;
  /** Would `read` give something, or throw? */
  isReady(): boolean;
  drop(): void;
}

/** What is behind an `output-stream`. */
export interface ByteSink {
  /** How many bytes `write` takes now; throws a `stream-error` when it never will again. */
  room(): number;
  /** Takes at most `room()` bytes, for good: the caller finds them gone. */
  write(bytes: Uint8Array): void;
  drop(): void;
}

const NOTHING = new Uint8Array();

/** `wasi:io/poll.pollable` */
export class Pollable {
  readonly #border: Border;
  readonly #isReady: () => boolean;
  /** Nanoseconds of the monotonic clock from which on it is ready in any case. */
  readonly deadline: bigint | undefined;

  constructor(border: Border, isReady: () => boolean, deadline?: bigint) {
    this.#border = border;
    this.#isReady = isReady;
    this.deadline = deadline;
  }

  /** Without looking whether something has come in. */
  isReadyNow(): boolean {
    return this.#isReady();
  }

  ready(): boolean {
    this.#border.look();
    return this.#isReady();
  }

  block(): void {
    this.#border.wait(this.#isReady, this.deadline);
  }
}

export class InputStream {
  readonly #border: Border;
  readonly #source: ByteSource;

  constructor(border: Border, source: ByteSource) {
    this.#border = border;
    this.#source = source;
  }

  read(length: bigint): Uint8Array {
    this.#border.look();
    return length === 0n ? NOTHING : this.#source.read(atMost(length));
  }

  blockingRead(length: bigint): Uint8Array {
    if (length > 0n) this.#border.wait(() => this.#source.isReady());
    return this.read(length);
  }

  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }

  blockingSkip(length: bigint): bigint {
    return BigInt(this.blockingRead(length).length);
  }

  subscribe(): Pollable {
    return new Pollable(this.#border, () => this.#source.isReady());
  }

  [Symbol.dispose](): void {
    this.#source.drop();
  }
}

export class OutputStream {
  readonly #border: Border;
  readonly #sink: ByteSink;
  /** What `check-write` has promised: writing more is a mistake of the component that ends it (wasi:io, `write`). */
  #permitted = 0;

  constructor(border: Border, sink: ByteSink) {
    this.#border = border;
    this.#sink = sink;
  }

  checkWrite(): bigint {
    this.#border.look();
    this.#permitted = this.#sink.room();
    return BigInt(this.#permitted);
  }

  write(contents: Uint8Array): void {
    // Throws where the stream has ended meanwhile; and other ways of writing may have used up what was permitted.
    const permitted = Math.min(this.#permitted, this.#sink.room());
    if (contents.length > permitted) throw new RangeError('a write of more than check-write permitted');
    this.#permitted = permitted - contents.length;
    this.#sink.write(contents);
  }

  blockingWriteAndFlush(contents: Uint8Array): void {
    // What is written is the sink's: where that is all of the contents, these are empty afterwards.
    for (let at = 0, { length } = contents; at < length; ) {
      const end = Math.min(length, at + this.#waitForRoom());
      this.#sink.write(contents.subarray(at, end));
      at = end;
    }
    this.blockingFlush();
  }

  flush(): void {
    this.#sink.room();
    this.#border.flush();
  }

  blockingFlush(): void {
    this.flush();
  }

  writeZeroes(length: bigint): void {
    this.write(new Uint8Array(Number(length < BigInt(this.#permitted) ? length : BigInt(this.#permitted) + 1n)));
  }

  blockingWriteZeroesAndFlush(length: bigint): void {
    for (let left = length; left > 0n; ) {
      const length = atMost(left);
      this.blockingWriteAndFlush(new Uint8Array(length));
      left -= BigInt(length);
    }
  }

  splice(source: InputStream, length: bigint): bigint {
    this.#border.look();
    const room = BigInt(this.#sink.room());
    return this.#pass(source.read(length < room ? length : room));
  }

  blockingSplice(source: InputStream, length: bigint): bigint {
    if (length === 0n) return 0n;
    const room = BigInt(this.#waitForRoom());
    return this.#pass(source.blockingRead(length < room ? length : room));
  }

  subscribe(): Pollable {
    return new Pollable(this.#border, () => isReadyToWrite(this.#sink));
  }

  [Symbol.dispose](): void {
    this.#sink.drop();
  }

  #pass(bytes: Uint8Array): bigint {
    // What is written is the sink's.
    const { length } = bytes;
    this.#sink.write(bytes);
    return BigInt(length);
  }

  /** Waits until something can be written: how much, in bytes. */
  #waitForRoom(): number {
    this.#border.wait(() => isReadyToWrite(this.#sink));
    return this.#sink.room();
  }
}

export function createWasiIo(border: Border): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  /** The indexes of those that are ready, after waiting for the first. */
  function poll(pollables: readonly Pollable[]): Uint32Array {
    if (pollables.length === 0) throw new RangeError('poll of nothing would never end');
    const deadlines = pollables.flatMap(({ deadline }) => (deadline === undefined ? [] : [deadline]));
    const soonest = deadlines.length === 0 ? undefined : deadlines.reduce((a, b) => (b < a ? b : a));
    border.wait(() => pollables.some((one) => one.isReadyNow()), soonest);
    return Uint32Array.from(pollables.flatMap((one, index) => (one.isReadyNow() ? [index] : [])));
  }
  return {
    'wasi:io/error': { Error: IoError },
    'wasi:io/poll': { Pollable, poll },
    'wasi:io/streams': { InputStream, OutputStream },
  };
}

/** A pollable for a point in time. */
export function timePollable(border: Border, at: bigint): Pollable {
  return new Pollable(border, () => monotonicNow() >= at, at);
}

/** An `input-stream` at its end. */
export const EMPTY_SOURCE: ByteSource = {
  read() {
    throw CLOSED;
  },
  isReady: () => true,
  drop() {},
};

function isReadyToWrite(sink: ByteSink): boolean {
  try {
    return sink.room() > 0;
  } catch {
    // The end is something to hear of too.
    return true;
  }
}

function atMost(length: bigint): number {
  return length < BigInt(MAX_READ) ? Number(length) : MAX_READ;
}
