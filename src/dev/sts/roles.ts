import { readFile } from 'node:fs/promises';
import type { PolicySet } from '../../policy/policy-set.ts';
import { type TrustPolicy, trustPolicyDocument } from './trust-policy.ts';

/** A role of the local AWS account. */
export interface Role {
  readonly arn: string;
  readonly trustPolicy: TrustPolicy;
  /** Seconds. */
  readonly maxSessionDuration: number;
}

/** The trust policy that the README tells AWS users to use, with its placeholders. */
const TEMPLATE = new URL('../../../deploy/aws/trust-policy.json', import.meta.url);

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
 * is granted the role.
 */
export async function rolesForPolicies(policies: PolicySet, issuer: string): Promise<Map<string, Role>> {
  const template = await readFile(TEMPLATE, 'utf8');
  const roles = new Map<string, Role>();
  for (const { spiffeId, grants } of policies.components) {
    for (const { grant } of grants) {
      if (grant.kind !== 'aws') continue;
      const { roleArn, audience, durationSeconds } = grant;
      const filledIn = fillIn(template, {
        '<ACCOUNT_ID>': accountOf(roleArn),
        '<ISSUER>': providerName(issuer),
        '<SPIFFE_ID>': spiffeId.toString(),
        '<AUDIENCE>': audience,
      });
      const { Version, Statement } = trustPolicyDocument.parse(JSON.parse(filledIn));
      const known = roles.get(roleArn);
      roles.set(roleArn, {
        arn: roleArn,
        trustPolicy: { Version, Statement: [...(known?.trustPolicy.Statement ?? []), ...Statement] },
        maxSessionDuration: Math.max(known?.maxSessionDuration ?? DEFAULT_MAX_SESSION_SECONDS, durationSeconds),
      });
    }
  }
  return roles;
}

/** The account in the ARN of a role: `arn:aws:iam::111122223333:role/name`. */
export function accountOf(roleArn: string): string {
  return roleArn.split(':')[4] ?? '';
}

/** A JSON text with its placeholders replaced, each by the JSON form of its value. */
function fillIn(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/<[A-Z_]+>/g, (placeholder) =>
    JSON.stringify(values[placeholder] ?? placeholder).slice(1, -1),
  );
}
