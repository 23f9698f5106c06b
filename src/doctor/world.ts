import type { Clock } from '../base/clock.ts';

/** What the doctor uses of the world around it. */
export interface World {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user this process runs as, by which SPIRE's unix attestor knows it. */
  readonly uid: number;
  /** The longest that any one question may wait for its answer, in milliseconds. */
  readonly limitMs: number;
  /** Certificate authorities (PEM) that are trusted instead of Node's own, for an issuer of a test. */
  readonly ca?: string;
}
