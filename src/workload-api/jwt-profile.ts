import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Broker } from '../broker/broker.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import { type Caller, evaluateComponent } from '../policy/evaluate.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { parseAudience } from '../spiffe/audience.ts';
import type { JwtBundle } from '../spiffe/jwt-bundle.ts';
import { DEFAULT_LEEWAY_SECONDS, type JwtSvid, verifyJwtSvid } from '../spiffe/jwt-svid.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { type Struct, toStruct } from './struct.ts';

export interface JwtProfileOptions {
  /** Our own trust domain. */
  readonly trustDomain: TrustDomain;
  readonly broker: Pick<Broker, 'identity'>;
  /** The policy set in force now. */
  policies(): PolicySet;
  readonly bundles: Pick<JwtBundleSource, 'get' | 'all'>;
  readonly clock: Clock;
}

/** The answers of the Workload API's JWT-SVID profile (SPIFFE Workload API section 6) to one component. */
export interface JwtProfile {
  /** @throws SvidxError `request_invalid`, `spiffe_id_invalid`, `policy_denied` or `identity_*` */
  fetchJwtSvid(request: object): Promise<object>;
  /** @throws SvidxError `policy_denied` or `bundle_unavailable` */
  jwtBundles(): object;
  /** @throws SvidxError `request_invalid`, `policy_denied` or `token_*` */
  validateJwtSvid(request: object): Promise<object>;
}

const fetchRequest = z.object({ audience: z.array(z.string()), spiffe_id: z.string() });
const validateRequest = z.object({ audience: z.string(), svid: z.string() });

/** What is told of a token of another trust domain, as SPIRE does: its other claims mean what somebody else says they mean. */
const FOREIGN_CLAIMS = ['sub', 'aud', 'exp'];

/** @param caller the component, fixed: what it sends says nothing of who it is */
export function createJwtProfile(options: JwtProfileOptions, caller: Caller): JwtProfile {
  const { trustDomain, broker, policies, bundles, clock } = options;

  /** Keys are public, but whoever has lost its policy is nobody: SPIRE says the same to a workload without an entry. */
  function permit(): void {
    const decision = evaluateComponent(policies(), caller);
    if (!decision.allowed) throw new SvidxError('policy_denied', decision.reason);
  }

  return {
    async fetchJwtSvid(message) {
      const request = fetchRequest.parse(message);
      const audience = parseAudience(request.audience);
      if (audience === undefined) throw new SvidxError('request_invalid', 'audience must be specified');
      const wanted = request.spiffe_id === '' ? undefined : SpiffeId.parse(request.spiffe_id);
      const svid = await broker.identity(caller, audience);
      // A component has one identity, so there is nothing to choose from.
      if (wanted !== undefined && wanted.toString() !== svid.spiffeId.toString()) {
        throw new SvidxError('identity_mismatch', 'the component does not have this SPIFFE ID');
      }
      return { svids: [{ spiffe_id: svid.spiffeId.toString(), svid: svid.token.reveal(), hint: '' }] };
    },

    jwtBundles() {
      permit();
      const all = bundles.all();
      // A map without entries is a mandatory field that is not there (section 6.2.2).
      if (all.length === 0) throw new SvidxError('bundle_unavailable', 'no bundle is at hand yet');
      return { bundles: Object.fromEntries(all.map((bundle) => [bundle.trustDomain.id, jwkSet(bundle)])) };
    },

    async validateJwtSvid(message) {
      const request = validateRequest.parse(message);
      const audience = parseAudience([request.audience]);
      if (audience === undefined) throw new SvidxError('request_invalid', 'audience must be specified');
      if (request.svid === '') throw new SvidxError('request_invalid', 'svid must be specified');
      permit();
      const now = clock.now();
      const svid = await verifyJwtSvid(request.svid, { bundles, audience, now, leewaySeconds: DEFAULT_LEEWAY_SECONDS });
      return { spiffe_id: svid.spiffeId.toString(), claims: claimsOf(svid, trustDomain) };
    },
  };
}

/** As SPIRE sends it: without `use` and `alg`, so that every reader takes each key for what it is. */
function jwkSet({ authorities }: JwtBundle): Uint8Array {
  return Buffer.from(JSON.stringify({ keys: authorities.map(({ keyId, jwk }) => ({ ...jwk, kid: keyId })) }));
}

function claimsOf({ spiffeId, audience, claims }: JwtSvid, ours: TrustDomain): Struct {
  const told = Object.entries(claims).filter(
    ([name]) => spiffeId.trustDomain.equals(ours) || FOREIGN_CLAIMS.includes(name),
  );
  // A list, also where the token has a text: SPIRE's clients know nothing else.
  return toStruct({ ...Object.fromEntries(told), aud: audience });
}
