import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { FromWorker, ToWorker } from '../messages.ts';
import { monotonicNow } from './monotonic.ts';

/** Ends a component whose answer nobody wants any more; `jco` lets it through as a trap. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';

  constructor() {
    super('nobody waits for the answer any more');
  }
}

/**
 * The border of a component's thread. What goes out is gathered and sent when the component waits or is done; what comes in
 * is handled when it looks or waits. A wait blocks the thread, which has nothing else to do.
 */
export interface Border {
  send(message: FromWorker, transfer?: readonly ArrayBuffer[]): void;
  /** Sends what was gathered. */
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
  /** Counts what the host has sent. */
  readonly sent: Int32Array;
  receive(message: ToWorker): void;
  isCancelled(): boolean;
}

export function createBorder({ port, sent, receive, isCancelled }: BorderOptions): Border {
  let gathered: FromWorker[] = [];
  let transfers: ArrayBuffer[] = [];

  function flush(): void {
    if (gathered.length === 0) return;
    const [batch, moved] = [gathered, transfers];
    [gathered, transfers] = [[], []];
    port.postMessage(batch, moved);
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
    },
    flush,
    look,
    wait(isDone, until) {
      flush();
      for (;;) {
        // Read before looking: what is sent after that makes the wait below return at once.
        const seen = Atomics.load(sent, 0);
        look();
        if (isDone()) return;
        const left = until === undefined ? Number.POSITIVE_INFINITY : Number(until - monotonicNow()) / 1e6;
        if (left <= 0) return;
        // What came in may have had an effect that others must hear of: credit, for one.
        flush();
        Atomics.wait(sent, 0, seen, left);
      }
    },
  };
}
