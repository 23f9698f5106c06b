import type { Clock } from '../../base/clock.ts';
import { SvidxError, toSvidxError } from '../../base/errors.ts';
import { scrub } from '../../base/secret.ts';
import type { Audience } from '../../spiffe/audience.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../../spiffe/jwt-svid.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { JwtSvidSource, Subject } from '../source.ts';
import type { DelegatedIdentityApi, WireJwtSvid } from './api.ts';
import { isNoIdentityIssued, isPermissionDenied, notADelegate, toIdentityError } from './status.ts';

export interface DelegatedJwtSvidSourceOptions {
  readonly api: DelegatedIdentityApi;
  readonly clock: Clock;
  /** Milliseconds that one call may take. */
  readonly timeoutMs: number;
}

/**
 * JWT-SVIDs from SPIRE's Delegated Identity API.
 *
 * SPIRE returns one for every entry whose selectors are among those sent, so the answer is searched for the one SPIFFE ID
 * that the policy names. What comes back is then held against what was asked: subject, audience, expiry.
 */
export function createDelegatedJwtSvidSource(options: DelegatedJwtSvidSourceOptions): JwtSvidSource {
  const { api, clock, timeoutMs } = options;
  return {
    async fetchJwtSvid(subject, audience, signal) {
      const svids = await fetchAll(subject, audience, signal);
      return checked(choose(svids, subject), subject, audience, clock.now());
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
      throw toIdentityError(error);
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

function choose(svids: readonly WireJwtSvid[], subject: Subject): WireJwtSvid {
  if (svids.length === 0) {
    throw new SvidxError('identity_not_found', 'the SPIRE agent returned no JWT-SVID for this component');
  }
  const wanted = subject.spiffeId.toString();
  // More than one entry may issue the same ID, with different hints; the agent orders them, and any of them will do.
  const chosen = svids.find(({ id }) => id !== null && `spiffe://${id.trust_domain}${id.path}` === wanted);
  if (chosen !== undefined) return chosen;
  const found = svids.map(({ id }) => (id === null ? '(none)' : printableId(id.trust_domain, id.path)));
  throw new SvidxError('identity_mismatch', `SPIRE has no ${wanted} for the selectors of this component`, {
    detail: `the agent returned ${found.join(', ')}`,
  });
}

function checked(wire: WireJwtSvid, subject: Subject, audience: Audience, now: number): JwtSvid {
  const svid = parse(wire.token);
  if (!svid.spiffeId.equals(subject.spiffeId)) throw unusable('its subject is another SPIFFE ID');
  if (!isSameSet(svid.audience, audience)) throw unusable('its audience is not the one that was asked for');
  if (svid.expiresAt <= now)
    throw unusable(`it expired at ${new Date(svid.expiresAt).toISOString()}; check the clocks`);
  return svid;
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
