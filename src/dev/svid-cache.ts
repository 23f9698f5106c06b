import type { Clock } from '../base/clock.ts';
import type { Audience } from '../spiffe/audience.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { Authority, MintedSvid } from './authority.ts';

/** What a JWT-SVID is asked for. */
export interface SvidRequest {
  readonly spiffeId: SpiffeId;
  /** As the caller sent it: SPIRE's agent leaves blank ones for its server to drop. */
  readonly sentAudience: readonly string[];
  readonly audience: Audience;
  /** Seconds. */
  readonly ttl: number;
}

export interface SvidCacheOptions {
  readonly authority: Pick<Authority, 'mint' | 'onChange' | 'isTainted'>;
  readonly clock: Clock;
}

/** How many JWT-SVIDs SPIRE's agent keeps (jwt_svid_cache_max_size); beyond that the one unused for longest goes. */
const MAX_SVIDS = 1_000;

/**
 * The JWT-SVID cache of SPIRE's agent: the same token for the same SPIFFE ID and set of audiences, in whatever order, until
 * half of its life is over or its key is tainted. So a client meets here what it meets there: a token that was just fetched
 * may have half of its life behind it, and asking again does not make it younger.
 *
 * (SPIRE renews between 45 and 55% of the life, at random: pkg/common/rotationutil.)
 */
export function createSvidCache({ authority, clock }: SvidCacheOptions): (request: SvidRequest) => Promise<MintedSvid> {
  // A Map iterates in insertion order, and what is used is inserted again: the first is the one unused for longest.
  const held = new Map<string, MintedSvid>();

  return async ({ spiffeId, sentAudience, audience, ttl }) => {
    const key = JSON.stringify([spiffeId.toString(), ...sentAudience.toSorted()]);
    const known = held.get(key);
    held.delete(key);
    const svid = known !== undefined && isYoung(known) ? known : await authority.mint({ spiffeId, audience, ttl });
    held.set(key, svid);
    for (const oldest of held.keys()) {
      if (held.size <= MAX_SVIDS) break;
      held.delete(oldest);
    }
    return svid;
  };

  function isYoung({ keyId, issuedAt, expiresAt }: MintedSvid): boolean {
    return clock.now() < ((issuedAt + expiresAt) / 2) * 1000 && !authority.isTainted(keyId);
  }
}
