import type { Credentials } from '../credentials/credentials.ts';
import type { Grant } from '../credentials/grant.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';

/** Trades a JWT-SVID for a short-lived credential of one kind of target. */
export interface Exchanger<G extends Grant = Grant> {
  /**
   * @param subjectToken a JWT-SVID with the grant's audience
   * @returns a credential that has not expired
   * @throws SvidxError `exchange_*`
   */
  exchange(subjectToken: JwtSvid, grant: G, signal: AbortSignal): Promise<Credentials>;
}
