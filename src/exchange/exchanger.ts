import type { Credentials } from '../credentials/credentials.ts';
import type { Grant } from '../credentials/grant.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';

export interface ExchangeContext {
  /** Aborted when time is up. */
  readonly signal: AbortSignal;
  /** The credential in hand that this exchange is to replace, for targets that can prolong one. Still usable. */
  readonly previous?: Credentials | undefined;
}

/** Trades a JWT-SVID for a short-lived credential of one kind of target. */
export interface Exchanger<G extends Grant = Grant, C extends Credentials = Credentials> {
  /**
   * @param subjectToken a JWT-SVID with the grant's audience
   * @returns a credential that has not expired
   * @throws SvidxError `exchange_*`
   */
  exchange(subjectToken: JwtSvid, grant: G, context: ExchangeContext): Promise<C>;
}
