import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { scrub } from '../base/secret.ts';
import type { CredentialShape, Credentials } from '../credentials/credentials.ts';
import { shapeOfGrant } from '../credentials/grant.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import { evaluateSubject } from '../policy/evaluate.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { DEFAULT_LEEWAY_SECONDS, type JwtSvid, verifyJwtSvid } from '../spiffe/jwt-svid.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { createAudit } from './audit.ts';
import type { Broker } from './broker.ts';

/** What somebody with a JWT-SVID, and nothing else, asks for. */
export interface Redemption {
  readonly subjectToken: string;
  /** The name of a grant. */
  readonly grant: string;
  /** Only a grant that gives one of these; `undefined` for any. */
  readonly shapes: readonly CredentialShape[] | undefined;
}

export interface TokenRedeemer {
  /**
   * The credentials of the component that lets the subject of this JWT-SVID have its grant of this name.
   * @throws SvidxError `token_*` or `bundle_unavailable` where it is not proven who asks, `policy_denied` where that one may
   *   not have it, `request_invalid` where the grant gives something else, and what the broker throws
   */
  redeem(redemption: Redemption): Promise<Credentials>;
}

export interface TokenRedeemerOptions {
  readonly broker: Pick<Broker, 'credentials'>;
  /** The policy set in force now. */
  policies(): PolicySet;
  /** The keys of our own trust domain and of those it federates with. */
  readonly bundles: Pick<JwtBundleSource, 'get'>;
  readonly trustDomain: TrustDomain;
  /** The one audience a subject token must have, and no other beside it. */
  readonly audience: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The broker for those who hold a JWT-SVID: who is asking? -> the policy says whose grant that one may have -> the broker, on
 * that component's behalf, with the component's own identity. The subject token goes no further than here.
 */
export function createTokenRedeemer(options: TokenRedeemerOptions): TokenRedeemer {
  const { broker, policies, bundles, trustDomain, audience, clock } = options;
  const audit = createAudit(options);

  return {
    redeem({ subjectToken, grant, shapes }) {
      return audit.record('credentials.redeem', { grant }, async (fields) => {
        // Also of what turns out to be none: the holder can tell by it which of its tokens was refused.
        fields.subjectTokenSha256 = createHash('sha256').update(subjectToken).digest('hex');
        const { spiffeId } = await verified(subjectToken);
        fields.subject = spiffeId.toString();
        const decision = evaluateSubject(policies(), spiffeId, grant);
        // One sentence for a name that nobody has and for a grant of others: it says nothing of them.
        if (!decision.allowed) throw new SvidxError('policy_denied', scrub(`${spiffeId}: ${decision.reason}`));
        const { policy, granted } = decision;
        fields.component = policy.component;
        fields.spiffeId = policy.spiffeId.toString();
        if (shapes !== undefined && !shapes.includes(shapeOfGrant(granted.grant))) {
          throw new SvidxError('request_invalid', 'requested_token_type: the grant gives another type of token');
        }
        return broker.credentials({ component: policy.component }, grant);
      });
    },
  };

  async function verified(token: string): Promise<JwtSvid> {
    // Without any key each token would be one of an unknown trust domain, which nobody would try again.
    if (bundles.get(trustDomain) === undefined) {
      throw new SvidxError('bundle_unavailable', 'no key of the trust domain has arrived yet');
    }
    const svid = await verifyJwtSvid(token, {
      bundles,
      audience: [audience],
      now: clock.now(),
      leewaySeconds: DEFAULT_LEEWAY_SECONDS,
    });
    // For us alone, as draft-ietf-oauth-rfc7523bis and draft-ietf-oauth-spiffe-client-auth want it of assertions: one that
    // is meant for others too could be sent here by any of those.
    if (svid.audience.some((name) => name !== audience)) {
      throw new SvidxError('token_audience_mismatch', `the token is meant for others beside ${audience}`);
    }
    return svid;
  }
}
