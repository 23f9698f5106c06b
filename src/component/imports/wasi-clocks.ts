import type { Guest } from '../guest/guest.ts';
import { monotonicNow } from '../guest/monotonic.ts';
import { type Pollable, timePollable } from './wasi-io.ts';

/** `wasi:clocks` 0.2: the real time, to the millisecond; a wait ends with the time limit of the call at the latest. */
export function createWasiClocks({ border }: Guest): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  return {
    'wasi:clocks/monotonic-clock': {
      now: monotonicNow,
      resolution: () => 1_000n,
      subscribeInstant: (at: bigint): Pollable => timePollable(border, at),
      subscribeDuration: (duration: bigint): Pollable => timePollable(border, monotonicNow() + duration),
    },
    'wasi:clocks/wall-clock': {
      now: wallClock,
      resolution: () => ({ seconds: 0n, nanoseconds: 1_000_000 }),
    },
  };
}

function wallClock(): { seconds: bigint; nanoseconds: number } {
  const now = Date.now();
  return { seconds: BigInt(Math.floor(now / 1000)), nanoseconds: (now % 1000) * 1_000_000 };
}
