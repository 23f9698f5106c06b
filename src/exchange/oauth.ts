import type { Clock } from '../base/clock.ts';
import type { OAuthGrant } from '../credentials/grants/oauth.ts';
import type { Exchanger } from './exchanger.ts';

export interface OAuthExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

export function createOAuthExchanger(_options: OAuthExchangerOptions): Exchanger<OAuthGrant> {
  throw new Error('not written yet');
}
