import { compilePolicies, type PolicySet } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';

export const EXAMPLE_ORG = TrustDomain.parse('example.org');

/** A policy that uses every key but `tokenEndpoint` and what is for hosts alone, each on a line, so that a test can change a line and know its number. */
export const FULL_POLICY = `component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
audiences: [sts.amazonaws.com]
digest: sha256:${'0123456789abcdef'.repeat(4)}
grants:
  models:
    aws:
      roleArn: arn:aws:iam::111122223333:role/models
      region: us-east-1
      duration: 15m
    audience: exchange.example.org
`;

/** The same for any bytes. */
export const UNPINNED_POLICY = FULL_POLICY.replace(/^digest.*\n/m, '');

/** What a host may be told of a component, to be put behind the keys of `FULL_POLICY` or of another policy. */
export const HOSTING_KEYS = `digestSelector: true
wasi: [clocks, random, stdio]
config: { GREETING: hello }
egress:
  - https://api.example.org:8443/v1/
  - { url: 'http://local.example.org:9000', addresses: [127.0.0.0/8, '::1'] }
`;

/** The key that says who comes to the token endpoint, who has no digest: no two components may let a subject have grants of one name. */
export const TOKEN_SUBJECTS = `tokenEndpoint:
  subjects: [spiffe://example.org/team/api, spiffe://partner.example/batch]
`;

/** `FULL_POLICY` with one part replaced, which must be there. */
export function changedPolicy(from: string, to: string): string {
  if (!FULL_POLICY.includes(from)) throw new Error(`not in the policy: ${from}`);
  return FULL_POLICY.replace(from, () => to);
}

/** Compiles texts as the files `a.yaml`, `b.yaml`..., for the trust domain `example.org`. */
export function compile(...texts: string[]): PolicySet {
  const files = texts.map((text, index) => ({ file: `${String.fromCharCode(97 + index)}.yaml`, text }));
  return compilePolicies(files, EXAMPLE_ORG);
}
