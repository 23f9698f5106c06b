/** One line of the benchmark: what was measured, side by side with its limit in the same run. */
export interface Row {
  readonly what: string;
  /** What was measured, with its unit. */
  readonly measured: string;
  /** What it is held against, measured in the same run. */
  readonly against: string;
  /** The number that the target speaks of. */
  readonly ratio: number;
  readonly target: string;
  readonly met: boolean;
}

/** The middle one of an odd number of measurements. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The value below which this share of the measurements lies. */
export function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}
