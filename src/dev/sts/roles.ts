import { readFile } from 'node:fs/promises';
import type { PolicySet } from '../../policy/policy-set.ts';
import { type TrustPolicy, trustPolicyDocument } from './trust-policy.ts';

/** A role of the local AWS account. */
export interface Role {
  readonly arn: string;
  readonly trustPolicy: TrustPolicy;
  /** Seconds. */
  readonly maxSessionDuration: number;
  /** The regions where it may invoke models, any of them. */
  readonly modelRegions: ReadonlySet<string>;
}

/** The trust policies that the README tells AWS users to use, with their placeholders. */
const TEMPLATES = new URL('../../../deploy/aws/', import.meta.url);

/**
 * A role that nobody changed allows sessions of one hour (IAM, MaxSessionDuration). Here it is raised to what the grants
 * ask for; in a real account somebody has to raise it.
 */
const DEFAULT_MAX_SESSION_SECONDS = 3600;

/** `oidc.example.com/path` for `https://oidc.example.com/path`: how IAM names a provider and its condition keys. */
export function providerName(issuer: string): string {
  return issuer.replace(/^https?:\/\//, '');
}

export function providerArn(accountId: string, issuer: string): string {
  return `arn:aws:iam::${accountId}:oidc-provider/${providerName(issuer)}`;
}

/**
 * The roles that the policies name, each with the trust policy of `deploy/aws/` filled in: once for each component that
 * is granted the role, and once for each role from which another is assumed. They may invoke models where a grant has its
 * region; what else a role may do is nothing that the local account knows of.
 */
export async function rolesForPolicies(policies: PolicySet, issuer: string): Promise<Map<string, Role>> {
  const [webIdentity, chained] = await Promise.all(
    ['trust-policy.json', 'chained-trust-policy.json'].map((name) => readFile(new URL(name, TEMPLATES), 'utf8')),
  );
  const roles = new Map<string, Role>();

  function add(arn: string, trustPolicy: TrustPolicy, duration: number, modelRegions: readonly string[]): void {
    const known = roles.get(arn);
    roles.set(arn, {
      arn,
      trustPolicy: { ...trustPolicy, Statement: [...(known?.trustPolicy.Statement ?? []), ...trustPolicy.Statement] },
      maxSessionDuration: Math.max(known?.maxSessionDuration ?? DEFAULT_MAX_SESSION_SECONDS, duration),
      modelRegions: new Set([...(known?.modelRegions ?? []), ...modelRegions]),
    });
  }

  for (const { spiffeId, grants } of policies.components) {
    for (const { grant } of grants) {
      if (grant.kind !== 'aws') continue;
      const filledIn = fillIn(webIdentity, {
        '<ACCOUNT_ID>': accountOf(grant.roleArn),
        '<ISSUER>': providerName(issuer),
        '<SPIFFE_ID>': spiffeId.toString(),
        '<AUDIENCE>': grant.audience,
      });
      // The first role of two is there to assume the second, and may do nothing else.
      const modelRegions = grant.assumeRole === undefined ? [grant.region] : [];
      add(grant.roleArn, trustPolicyDocument.parse(JSON.parse(filledIn)), grant.durationSeconds, modelRegions);
      if (grant.assumeRole !== undefined) {
        const { roleArn, durationSeconds, externalId } = grant.assumeRole;
        const trustPolicy = chainedTrustPolicy(chained ?? '', grant.roleArn, externalId);
        add(roleArn, trustPolicy, durationSeconds, [grant.region]);
      }
    }
  }
  return roles;
}

/** As `deploy/aws/README.md` has it: without its condition where there is no external ID. */
function chainedTrustPolicy(template: string, firstRoleArn: string, externalId: string | undefined): TrustPolicy {
  const filledIn = fillIn(template, { '<FIRST_ROLE_ARN>': firstRoleArn, '<EXTERNAL_ID>': externalId ?? '' });
  const policy = trustPolicyDocument.parse(JSON.parse(filledIn));
  if (externalId !== undefined) return policy;
  return { ...policy, Statement: policy.Statement.map((statement) => ({ ...statement, Condition: {} })) };
}

/** The account in the ARN of a role: `arn:aws:iam::111122223333:role/name`. */
export function accountOf(roleArn: string): string {
  return roleArn.split(':')[4] ?? '';
}

/** A JSON text with its placeholders replaced, each by the JSON form of its value. */
function fillIn(template = '', values: Readonly<Record<string, string>> = {}): string {
  return template.replace(/<[A-Z_]+>/g, (placeholder) =>
    JSON.stringify(values[placeholder] ?? placeholder).slice(1, -1),
  );
}
