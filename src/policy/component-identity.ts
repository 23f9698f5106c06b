import type { Selector } from '../spiffe/selector.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { digestSelector } from './digest.ts';
import type { Caller } from './evaluate.ts';
import type { ComponentPolicy } from './policy-set.ts';

/** Who a caller is to SPIRE. */
export interface ComponentIdentity {
  readonly component: string;
  readonly spiffeId: SpiffeId;
  /** What proves it: those of the policy and, where that says so, the one of the bytes that run. */
  readonly selectors: readonly Selector[];
  /** The same for the same SPIFFE ID proved by the same selectors, and different for anything else. */
  readonly key: string;
}

/**
 * The identity that this policy gives whoever runs the bytes that it allows.
 * @returns `undefined` where it depends on bytes that the policy does not pin
 */
export function pinnedIdentity(policy: ComponentPolicy): ComponentIdentity | undefined {
  return policy.digestSelector && policy.digest === undefined ? undefined : componentIdentity(policy, policy);
}

/**
 * The identity that this policy gives to a caller whom it has allowed something.
 * @param caller with a digest, where the policy has `digestSelector`; else the policy has denied it
 */
export function componentIdentity(policy: ComponentPolicy, { digest }: Caller): ComponentIdentity {
  const { component, spiffeId, selectors, identityFingerprint } = policy;
  if (!policy.digestSelector) return { component, spiffeId, selectors, key: identityFingerprint };
  if (digest === undefined) throw new Error(`the policy of ${component} has allowed bytes that are not known`);
  return {
    component,
    spiffeId,
    selectors: [...selectors, digestSelector(digest)],
    key: `${identityFingerprint} ${digest}`,
  };
}
