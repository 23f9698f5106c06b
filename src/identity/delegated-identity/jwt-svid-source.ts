import type { Clock } from '../../base/clock.ts';
import { createConcurrencyLimit } from '../../base/concurrency-limit.ts';
import { SvidxError, toSvidxError } from '../../base/errors.ts';
import { scrub } from '../../base/secret.ts';
import { LAST_MOMENTS_MS } from '../../credentials/lifetimes.ts';
import type { Audience } from '../../spiffe/audience.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../../spiffe/jwt-svid.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { JwtSvidSource, Subject } from '../source.ts';
import type { DelegatedIdentityApi, WireJwtSvid } from './api.ts';
import { isNoIdentityIssued, isPermissionDenied, notADelegate, toFetchError } from './status.ts';

export interface DelegatedJwtSvidSourceOptions {
  readonly api: DelegatedIdentityApi;
  readonly clock: Clock;
  /** Milliseconds that one call may take. */
  readonly timeoutMs: number;
  /** For whoever judges the clocks itself: the times of a token are not held against ours. */
  readonly anyTime?: true;
}

/**
 * How many calls are under way at the agent at the same time. SPIRE's server lets an agent sign 500 JWT-SVIDs a second and
 * makes what is more wait (SPIRE server, pkg/server/api/middleware, rate limits); so waiting here costs nobody anything.
 */
export const MAX_CALLS = 64;

/**
 * How far ahead of ours the clock may be that a token's times come from, in milliseconds. As much as is kept back at a
 * token's end: with more than that we would hand out tokens that have expired for everybody else.
 */
const MAX_CLOCK_SKEW_MS = LAST_MOMENTS_MS;

/**
 * JWT-SVIDs from SPIRE's Delegated Identity API.
 *
 * SPIRE returns one for every entry whose selectors are among those sent, so the answer is searched for the one SPIFFE ID
 * that the policy names. What comes back is then held against what was asked: subject, audience, times.
 */
export function createDelegatedJwtSvidSource(options: DelegatedJwtSvidSourceOptions): JwtSvidSource {
  const { api, clock, timeoutMs } = options;
  const calls = createConcurrencyLimit(MAX_CALLS);
  return {
    async fetchJwtSvid(subject, audience, signal) {
      const svids = await calls.run(() => fetchAll(subject, audience, signal), signal);
      return choose(svids, subject, audience, options.anyTime ? undefined : clock.now());
    },
  };

  async function fetchAll(subject: Subject, audience: Audience, signal: AbortSignal): Promise<readonly WireJwtSvid[]> {
    try {
      return await api.fetchJwtSvids({ audience, selectors: subject.selectors }, { timeoutMs, signal });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (isNoIdentityIssued(error) && !(await isAcceptedAsDelegate(signal))) {
        throw notADelegate('this service itself has no identity at the agent');
      }
      throw toFetchError(error);
    }
  }

  /**
   * "No identity issued" is said of the caller too. The bundle stream checks the caller in the same way and asks for no
   * selectors, so it tells whether it is this service that is unknown.
   */
  function isAcceptedAsDelegate(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel();
        cancelStream();
        signal.removeEventListener('abort', abort);
      };
      const settle = (accepted: boolean): void => {
        end();
        resolve(accepted);
      };
      const abort = (): void => {
        end();
        reject(signal.reason);
      };
      const cancelStream = api.subscribeToJwtBundles({
        onMessage: () => settle(true),
        onEnd: (error) => settle(!isPermissionDenied(error)),
      });
      const timer = clock.after(timeoutMs, () => settle(true));
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}

/**
 * The one of these that lives longest, of those with the right ID.
 *
 * There is more than one where several entries issue the same ID, with different hints and lifetimes. A hint says what an
 * SVID is for to a workload that cannot know otherwise (SPIFFE Workload API section 6); ours is known by its ID. Of equal
 * ones it is the first, in the agent's own order.
 */
function choose(svids: readonly WireJwtSvid[], subject: Subject, audience: Audience, now: number | undefined): JwtSvid {
  if (svids.length === 0) {
    throw new SvidxError('identity_not_found', 'the SPIRE agent returned no JWT-SVID for this component');
  }
  const wanted = subject.spiffeId.toString();
  const chosen = svids
    .filter(({ id }) => id !== null && `spiffe://${id.trust_domain}${id.path}` === wanted)
    // Each has to be right: an agent that is wrong about one of them is not to be believed about another.
    .map((wire) => checked(wire, subject, audience, now))
    .reduce<JwtSvid | undefined>((best, svid) => (best && best.expiresAt >= svid.expiresAt ? best : svid), undefined);
  if (chosen !== undefined) return chosen;
  const found = svids.map(({ id }) => (id === null ? '(none)' : printableId(id.trust_domain, id.path)));
  throw new SvidxError('identity_mismatch', `SPIRE has no ${wanted} for the selectors of this component`, {
    detail: `the agent returned ${found.join(', ')}`,
  });
}

function checked(wire: WireJwtSvid, subject: Subject, audience: Audience, now: number | undefined): JwtSvid {
  const svid = parse(wire.token);
  if (!svid.spiffeId.equals(subject.spiffeId)) throw unusable('its subject is another SPIFFE ID');
  // Whoever is named in "aud" accepts the token (JWT-SVID section 3.2), so a name more is a grant that no policy made.
  if (!isSameSet(svid.audience, audience)) throw unusable('its audience is not the one that was asked for');
  if (now !== undefined) checkTimes(svid, now);
  return svid;
}

function checkTimes(svid: JwtSvid, now: number): void {
  if (svid.expiresAt <= now) {
    throw unusable(`it expired at ${new Date(svid.expiresAt).toISOString()}; check the clocks`);
  }
  for (const claim of ['nbf', 'iat']) {
    const seconds = svid.claims[claim];
    if (typeof seconds === 'number' && seconds * 1000 > now + MAX_CLOCK_SKEW_MS) {
      throw unusable(`its "${claim}" lies in the future; check the clocks`);
    }
  }
}

/** Neither order nor repetition means anything in an audience. */
function isSameSet(a: Audience, b: Audience): boolean {
  return a.every((name) => b.includes(name)) && b.every((name) => a.includes(name));
}

function parse(token: string): JwtSvid {
  try {
    return parseJwtSvidUnverified(token);
  } catch (error) {
    throw unusable(toSvidxError(error).message);
  }
}

function unusable(problem: string): SvidxError {
  return new SvidxError('identity_response_invalid', `the SPIRE agent returned an unusable JWT-SVID: ${problem}`);
}

function printableId(trustDomain: string, path: string): string {
  try {
    return scrub(SpiffeId.of(TrustDomain.parse(trustDomain), path).toString());
  } catch {
    return '(an invalid SPIFFE ID)';
  }
}
