import type { Clock } from '../base/clock.ts';
import type { VaultGrant } from '../credentials/grants/vault.ts';
import type { Exchanger } from './exchanger.ts';

export interface VaultExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

export function createVaultExchanger(_options: VaultExchangerOptions): Exchanger<VaultGrant> {
  throw new Error('not written yet');
}
