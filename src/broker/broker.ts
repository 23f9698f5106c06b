import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { createExpiringCache, type ExpiringCache } from '../base/expiring-cache.ts';
import type { Logger } from '../base/logger.ts';
import type { Credentials } from '../credentials/credentials.ts';
import { credentialLifetime, svidLifetime } from '../credentials/lifetimes.ts';
import type { Exchanger } from '../exchange/exchanger.ts';
import type { JwtSvidSource } from '../identity/source.ts';
import { type ComponentIdentity, componentIdentity } from '../policy/component-identity.ts';
import { type Caller, type Decision, evaluateAudience, evaluateGrant, evaluateInjection } from '../policy/evaluate.ts';
import type { ComponentPolicy, NamedGrant, PolicySet } from '../policy/policy-set.ts';
import type { Audience } from '../spiffe/audience.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { type AuditFields, callerFields, createAudit } from './audit.ts';
import { permitted } from './permitted.ts';
import { rememberFailureMs } from './remembered-failures.ts';

/** What a component, or somebody on its behalf, may ask for. */
export interface Broker {
  /**
   * A JWT-SVID of this component for these audiences.
   * @throws SvidxError `policy_denied` or `identity_*`
   */
  identity(caller: Caller, audience: Audience): Promise<JwtSvid>;
  /**
   * The credentials that this component's policy grants under this name.
   * @param patience for a caller who would rather wait a moment than have credentials that are about to end
   * @throws SvidxError `policy_denied`, `identity_*` or `exchange_*`
   */
  credentials(caller: Caller, grant: string, patience?: Patience): Promise<Credentials>;
  /**
   * The credentials of a grant with `inject`, for the component's host: to be added to requests to the place that the policy
   * names, and never shown to the component.
   * @throws SvidxError `policy_denied`, also for a grant without `inject`; `identity_*` or `exchange_*`
   */
  injected(caller: Caller, grant: string, patience?: Patience): Promise<Credentials>;
}

/** For credentials in hand that have little of their life left, while newer ones are on the way. */
export interface Patience {
  /** How much is enough. Milliseconds. */
  readonly minLifeMs: number;
  /** How long newer ones are waited for. Milliseconds. */
  readonly waitMs: number;
}

export interface BrokerOptions {
  /** The policy set in force now. */
  policies(): PolicySet;
  readonly svids: JwtSvidSource;
  readonly exchanger: Exchanger;
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** How many JWT-SVIDs, and how many credentials, are held in memory. */
  readonly cacheSize: number;
}

type Granted = Pick<Decision<NamedGrant> & { allowed: true }, 'policy' | 'granted'>;

/** One load goes through SPIRE and the target, retries included. Milliseconds. */
const LOAD_TIMEOUT_MS = 30_000;

/**
 * So many of the values in use are renewed at the same time, in each cache. Fewer than the calls that an upstream is sent
 * at the same time, so that somebody with nothing in hand never waits for renewals.
 */
const MAX_REFRESHES = 32;

/**
 * The product in one page: who is asking? -> the policy says yes or no -> identity -> exchange -> answer.
 *
 * The policy is asked first, each time, before any cache: what it takes back is gone at once, and what it denies costs
 * nothing upstream.
 */
export function createBroker(options: BrokerOptions): Broker {
  const { policies, svids, exchanger, clock } = options;
  const audit = createAudit(options);
  const svidCache = createCache<JwtSvid>(options, 'identity_unavailable', svidLifetime);
  const credentialCache = createCache<Credentials>(options, 'exchange_unavailable', (credentials, now) =>
    credentialLifetime(credentials.expiresAt, now),
  );

  return {
    identity(caller, audience) {
      return audit.record('identity.request', { ...callerFields(caller), audience }, async (fields) => {
        const { policy } = permitted(evaluateAudience(policies(), caller, audience), caller, fields);
        const svid = await svidOf(componentIdentity(policy, caller), audience);
        fields.tokenSha256 = svid.sha256;
        return svid;
      });
    },

    credentials(caller, grant, patience) {
      return audit.record('credentials.request', { ...callerFields(caller), grant }, (fields) => {
        const decision: Decision<NamedGrant> = evaluateGrant(policies(), caller, grant);
        return credentialsOf(permitted(decision, caller, fields), caller, patience);
      });
    },

    injected(caller, grant, patience) {
      return audit.record('credentials.inject', { ...callerFields(caller), grant }, (fields) => {
        const decision: Decision<NamedGrant> = evaluateInjection(policies(), caller, grant);
        return credentialsOf(permitted(decision, caller, fields), caller, patience);
      });
    },
  };

  async function credentialsOf(
    { policy, granted }: Granted,
    caller: Caller,
    patience: Patience | undefined,
  ): Promise<Credentials> {
    const { grant, fingerprint } = granted;
    const identity = componentIdentity(policy, caller);
    const key = `${fingerprint} ${identity.key}`;
    const inHand = await credentialCache.get(key, (flight, previous) =>
      audit.record('credentials.exchange', exchangeFields(policy, granted), async (exchange) => {
        const audience: Audience = [grant.audience];
        const svid = await svidOf(identity, audience, flight);
        exchange.tokenSha256 = svid.sha256;
        return exchanger.exchange(svid, grant, { signal: flight, previous }).catch((error: unknown) => {
          // Its key may have been withdrawn. The next use fetches a newer one behind it, if SPIRE has: the one in hand may be
          // good for others, and is not dropped.
          if (isRejectedToken(error)) svidCache.renew(svidKey(identity, audience));
          throw error;
        });
      }),
    );
    return patience === undefined ? inHand : newer(key, inHand, patience);
  }

  /** The credentials that are on their way, where those in hand are about to end; those in hand where that takes too long. */
  function newer(
    key: string,
    inHand: Credentials,
    { minLifeMs, waitMs }: Patience,
  ): Promise<Credentials> | Credentials {
    const underWay = inHand.expiresAt - clock.now() < minLifeMs ? credentialCache.underWay(key) : undefined;
    if (underWay === undefined) return inHand;
    return new Promise((resolve) => {
      const timer = clock.after(waitMs, () => resolve(inHand));
      const settle = (credentials: Credentials): void => {
        timer.cancel();
        resolve(credentials);
      };
      underWay.then(settle, () => settle(inHand));
    });
  }

  /** The component's own JWT-SVID: held ones are shared by all who may have the very same identity and audience. */
  function svidOf(identity: ComponentIdentity, audience: Audience, signal?: AbortSignal): Promise<JwtSvid> {
    const { component, spiffeId } = identity;
    return svidCache.get(
      svidKey(identity, audience),
      (flight) =>
        audit.record('identity.mint', { component, spiffeId: spiffeId.toString(), audience }, async (fields) => {
          const svid = await svids.fetchJwtSvid(identity, audience, flight);
          fields.tokenSha256 = svid.sha256;
          // An agent that cannot reach its server returns the token it has, to the very end.
          if (svidLifetime(svid, clock.now()).usableUntil <= clock.now()) throw lastMoments();
          return svid;
        }),
      signal,
    );
  }
}

/** Of an exchange that all share who may have what comes of it, whoever asked first. */
function exchangeFields({ component, spiffeId }: ComponentPolicy, { name, grant }: NamedGrant): AuditFields {
  return { component, grant: name, spiffeId: spiffeId.toString(), target: grant.target };
}

/** The same for the same identity and the same set of audiences. */
function svidKey({ key }: ComponentIdentity, audience: Audience): string {
  return key + JSON.stringify([...new Set(audience)].toSorted());
}

function lastMoments(): SvidxError {
  return new SvidxError(
    'identity_unavailable',
    'the SPIRE agent has only a JWT-SVID that is about to expire; perhaps its server cannot be reached',
  );
}

function isRejectedToken(error: unknown): boolean {
  return error instanceof SvidxError && error.code === 'exchange_token_rejected';
}

function createCache<V>(
  { clock, random, logger, cacheSize }: BrokerOptions,
  timeoutCode: 'identity_unavailable' | 'exchange_unavailable',
  lifetime: (value: V, arrivedAt: number) => { freshUntil: number; usableUntil: number },
): ExpiringCache<V> {
  return createExpiringCache<V>({
    clock,
    random,
    maxEntries: cacheSize,
    maxRefreshes: MAX_REFRESHES,
    loadTimeoutMs: LOAD_TIMEOUT_MS,
    timeoutError: () => new SvidxError(timeoutCode, `no answer within ${LOAD_TIMEOUT_MS / 1000} seconds`),
    lifetime,
    rememberFailureMs,
    onRefreshFailed: (_, error) =>
      logger.warn({ event: 'cache.refresh_failed', error }, 'still serving the value in hand'),
  });
}
