import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type FromWorker, HANDLED, SENT, type ToWorker } from '../messages.ts';
import { monotonicNow } from './monotonic.ts';

/** Ends a component whose answer nobody wants any more; `jco` lets it through as a trap. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';

  constructor() {
    super('nobody waits for the answer any more');
  }
}

/**
 * The border of a component's thread. What goes out is gathered and sent when the component waits, is done, or has a lot of
 * it; what comes in is handled when it looks or waits. A wait blocks the thread, which has nothing else to do.
 */
export interface Border {
  send(message: FromWorker, transfer?: readonly ArrayBuffer[]): void;
  /** Sends what was gathered. Waits where the host is far behind, so that a component cannot bury it. */
  flush(): void;
  /** Handles what has come in, without waiting. */
  look(): void;
  /**
   * Waits until `isDone`, which is asked whenever something has come in.
   * @param until nanoseconds of the monotonic clock at which it ends all the same
   * @throws Cancelled when nobody wants the answer any more
   */
  wait(isDone: () => boolean, until?: bigint): void;
}

export interface BorderOptions {
  readonly port: MessagePort;
  /** As `WorkerData.counters`. */
  readonly counters: Int32Array;
  receive(message: ToWorker): void;
  isCancelled(): boolean;
}

/** How many messages go in one batch at most, and how many batches may be on their way to the host. */
const MAX_BATCH = 64;
const MAX_AHEAD = 16;

export function createBorder({ port, counters, receive, isCancelled }: BorderOptions): Border {
  let gathered: FromWorker[] = [];
  let transfers: ArrayBuffer[] = [];
  /** Batches, as `HANDLED` counts them. */
  let posted = 0;

  function flush(): void {
    if (gathered.length === 0) return;
    const [batch, moved] = [gathered, transfers];
    [gathered, transfers] = [[], []];
    port.postMessage(batch, moved);
    posted = (posted + 1) | 0;
    for (;;) {
      const handled = Atomics.load(counters, HANDLED);
      if (((posted - handled) | 0) <= MAX_AHEAD) return;
      Atomics.wait(counters, HANDLED, handled);
    }
  }

  function look(): void {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      receive(next.message);
    }
    if (isCancelled()) throw new Cancelled();
  }

  return {
    send(message, transfer = []) {
      gathered.push(message);
      transfers.push(...transfer);
      // A request may be as long as its headers: not many of them at once, so that the host is not kept busy with copying.
      if (gathered.length >= MAX_BATCH || message.type === 'request') flush();
    },
    flush,
    look,
    wait(isDone, until) {
      flush();
      for (;;) {
        // Read before looking: what is sent after that makes the wait below return at once.
        const seen = Atomics.load(counters, SENT);
        look();
        if (isDone()) return;
        const left = until === undefined ? Number.POSITIVE_INFINITY : Number(until - monotonicNow()) / 1e6;
        if (left <= 0) return;
        // What came in may have had an effect that others must hear of: credit, for one.
        flush();
        Atomics.wait(counters, SENT, seen, left);
      }
    },
  };
}
