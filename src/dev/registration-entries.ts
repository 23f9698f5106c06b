import { z } from 'zod';
import { durationSchema } from '../base/duration.ts';
import { SvidxError } from '../base/errors.ts';
import { parseYamlDocument } from '../base/yaml-document.ts';
import { pinnedIdentity } from '../policy/component-identity.ts';
import { selectorText, spiffeIdText } from '../policy/document.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import type { Selector } from '../spiffe/selector.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';

/** A registration entry of the embedded trust domain: who the selectors prove. */
export interface RegistrationEntry {
  readonly spiffeId: SpiffeId;
  readonly selectors: readonly Selector[];
  /** How long its JWT-SVIDs live, in seconds. */
  readonly jwtSvidTtl: number;
  readonly hint: string;
  /** An administrator of SPIRE's server, and a server below it: delegates never get these. */
  readonly admin?: boolean;
  readonly downstream?: boolean;
}

const DEFAULT_TTL = '5m';

const entriesDocument = z.strictObject({
  entries: z
    .array(
      z.strictObject({
        spiffeId: spiffeIdText,
        selectors: z.array(selectorText).min(1),
        jwtSvidTtl: durationSchema({ min: 1, max: 86_400 }, DEFAULT_TTL),
        hint: z.string().max(1024).default(''),
        admin: z.boolean().default(false),
        downstream: z.boolean().default(false),
      }),
    )
    .min(1),
});

/**
 * Reads registration entries from a YAML file: `entries: [{spiffeId, selectors, jwtSvidTtl, hint, admin,
 * downstream}]`.
 * @throws SvidxError `config_invalid`, naming file, line and key
 */
export function parseRegistrationEntries(
  source: { readonly file: string; readonly text: string },
  trustDomain: TrustDomain,
): RegistrationEntry[] {
  const document = parseYamlDocument({ ...source, errorCode: 'config_invalid' }, entriesDocument);
  for (const [index, { spiffeId }] of document.value.entries.entries()) {
    if (!spiffeId.trustDomain.equals(trustDomain)) {
      const where = document.locate(['entries', index, 'spiffeId']);
      throw new SvidxError(
        'config_invalid',
        `${where}: spiffeId: expected an ID in the trust domain ${trustDomain.name}`,
      );
    }
  }
  return document.value.entries;
}

/**
 * The entries that the components of a policy set need. One with `digestSelector` names the bytes where the policy pins
 * them; where it does not, whatever bytes run are given the identity, as long as nobody registers an entry that names some.
 */
export function entriesForPolicies(policies: PolicySet): RegistrationEntry[] {
  return policies.components.map((policy) => ({
    spiffeId: policy.spiffeId,
    selectors: pinnedIdentity(policy)?.selectors ?? policy.selectors,
    jwtSvidTtl: 300,
    hint: '',
  }));
}
