import type { Clock } from '../base/clock.ts';
import type { AzureGrant } from '../credentials/grants/azure.ts';
import type { Exchanger } from './exchanger.ts';

export interface AzureExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

export function createAzureExchanger(_options: AzureExchangerOptions): Exchanger<AzureGrant> {
  throw new Error('not written yet');
}
