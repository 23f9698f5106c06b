import type { Clock } from '../base/clock.ts';
import type { GcpGrant } from '../credentials/grants/gcp.ts';
import type { Exchanger } from './exchanger.ts';

export interface GcpExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

export function createGcpExchanger(_options: GcpExchangerOptions): Exchanger<GcpGrant> {
  throw new Error('not written yet');
}
