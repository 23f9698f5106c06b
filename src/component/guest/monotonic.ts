/** Nanoseconds of a clock that never goes back, counted from the start of this thread. */
export function monotonicNow(): bigint {
  return BigInt(Math.round(performance.now() * 1e6));
}
