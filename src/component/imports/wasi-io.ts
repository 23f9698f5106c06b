/**
 * `wasi:io` with nothing behind it: streams that are at their end or swallow what is written, and waits for the clock.
 * Used inside a component's worker thread, where a wait may block.
 */

/** `wasi:io/error.error`: never handed out, as no stream here fails. */
export class IoError {
  toDebugString(): string {
    return 'no further information';
  }
}

/** `wasi:io/poll.pollable`: ready at a time of the monotonic clock (nanoseconds); 0 means at once. */
export class Pollable {
  readonly #readyAt: bigint;

  constructor(readyAt = 0n) {
    this.#readyAt = readyAt;
  }

  ready(): boolean {
    return monotonicNow() >= this.#readyAt;
  }

  block(): void {
    while (!this.ready()) blockFor(this.#readyAt - monotonicNow());
  }

  get readyAt(): bigint {
    return this.#readyAt;
  }
}

/** `wasi:io/poll.poll`: the indexes of those that are ready, after waiting for the first. Traps for an empty list. */
export function poll(pollables: readonly Pollable[]): Uint32Array {
  pollables.reduce((soonest, next) => (next.readyAt < soonest.readyAt ? next : soonest)).block();
  return Uint32Array.from(pollables.flatMap((pollable, index) => (pollable.ready() ? [index] : [])));
}

/** Nanoseconds of a clock that never goes back. */
export function monotonicNow(): bigint {
  return BigInt(Math.round(performance.now() * 1e6));
}

function blockFor(nanoseconds: bigint): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.max(1, Number(nanoseconds) / 1e6));
}

/** `wasi:io/streams.stream-error`, the case for a stream at its end. */
const CLOSED = { tag: 'closed' } as const;

/** `wasi:io/streams.input-stream` at its end. */
export class InputStream {
  read(): never {
    throw CLOSED;
  }
  blockingRead(): never {
    throw CLOSED;
  }
  skip(): never {
    throw CLOSED;
  }
  blockingSkip(): never {
    throw CLOSED;
  }
  subscribe(): Pollable {
    return new Pollable();
  }
}

/** `wasi:io/streams.output-stream` that takes everything and keeps nothing. */
export class OutputStream {
  checkWrite(): bigint {
    return 65_536n;
  }
  write(): void {}
  blockingWriteAndFlush(): void {}
  flush(): void {}
  blockingFlush(): void {}
  writeZeroes(): void {}
  blockingWriteZeroesAndFlush(): void {}
  splice(): never {
    throw CLOSED;
  }
  blockingSplice(): never {
    throw CLOSED;
  }
  subscribe(): Pollable {
    return new Pollable();
  }
}
