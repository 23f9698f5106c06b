import type { ErrorCode } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { Grant } from '../credentials/grant.ts';
import type { AwsGrant } from '../credentials/grants/aws.ts';
import type { AzureGrant } from '../credentials/grants/azure.ts';
import type { GcpGrant } from '../credentials/grants/gcp.ts';
import type { OAuthGrant } from '../credentials/grants/oauth.ts';
import type { VaultGrant } from '../credentials/grants/vault.ts';
import type { ComponentPolicy } from '../policy/policy-set.ts';

interface Context {
  readonly policy: ComponentPolicy;
  readonly config: Config;
}

/** What to do about an exchange that failed with this code: in the words of the target's own configuration. */
export function adviseOnExchange(code: ErrorCode, grant: Grant, context: Context): string {
  if (code === 'exchange_throttled') {
    return 'Try again later. If it stays, something asks far too often: see the audit events of the service.';
  }
  switch (grant.kind) {
    case 'aws':
      return adviseOnAws(code, grant, context);
    case 'azure':
      return adviseOnAzure(code, grant, context);
    case 'gcp':
      return adviseOnGcp(code, grant, context);
    case 'vault':
      return adviseOnVault(code, grant, context);
    case 'oauth':
      return adviseOnOAuth(code, grant, context);
  }
}

function adviseOnAws(code: ErrorCode, grant: AwsGrant, { policy, config }: Context): string {
  // IAM names a provider, and the keys of its conditions, by the issuer without its scheme (IAM user guide).
  const provider = config.issuer.url.replace(/^https?:\/\//, '');
  const [, partition, , , account] = grant.roleArn.split(':');
  switch (code) {
    case 'exchange_denied':
      return [
        `The trust policy of ${grant.roleArn} must allow sts:AssumeRoleWithWebIdentity to the Federated principal`,
        `    arn:${partition}:iam::${account}:oidc-provider/${provider}`,
        'under these conditions, byte by byte:',
        `    "StringEquals": { "${provider}:sub": "${policy.spiffeId}", "${provider}:aud": "${grant.audience}" }`,
        ...(grant.assumeRole === undefined
          ? []
          : [`and that of ${grant.assumeRole.roleArn} sts:AssumeRole to the principal ${grant.roleArn}.`]),
      ].join('\n');
    case 'exchange_token_rejected':
      return [
        "The account needs this identity provider, and in its client IDs (audiences) the grant's audience:",
        `    arn:${partition}:iam::${account}:oidc-provider/${provider}`,
        `    ${grant.audience}`,
        'If it has both, the steps above say whether AWS can fetch the keys.',
      ].join('\n');
    case 'exchange_request_rejected':
      return `Is ${grant.durationSeconds} s at most the role's maximum session duration, and is ${grant.region} enabled?`;
    case 'exchange_unavailable':
      return `Can this machine reach the STS of ${grant.region}, and can that fetch the keys of the issuer in time?`;
    default:
      return 'Is what answers AWS STS, or something before it (a proxy, aws.stsEndpoint)?';
  }
}

function adviseOnAzure(code: ErrorCode, grant: AzureGrant, { policy, config }: Context): string {
  switch (code) {
    case 'exchange_denied':
    case 'exchange_token_rejected':
      return [
        `${grant.clientId} needs a federated credential with exactly these, and some minutes after it was made:`,
        `    issuer:   ${config.issuer.url}`,
        `    subject:  ${policy.spiffeId}`,
        `    audience: ${grant.audience}`,
        'Entra takes RS256 only (jwt_key_type = "rsa-2048"), and must reach the issuer over the internet.',
      ].join('\n');
    case 'exchange_request_rejected':
      return `Are the tenant ${grant.tenantId}, the client ${grant.clientId} and the scope ${grant.scope} right?`;
    default:
      return `Can this machine reach ${grant.authorityHost}, and is it Entra ID that answers there?`;
  }
}

function adviseOnGcp(code: ErrorCode, grant: GcpGrant, { policy, config }: Context): string {
  switch (code) {
    case 'exchange_denied':
      return grant.serviceAccount === undefined
        ? `Does the attribute condition of ${grant.provider} let in ${policy.spiffeId}?`
        : `${grant.serviceAccount} must grant roles/iam.workloadIdentityUser to the principal of ${policy.spiffeId} in the pool.`;
    case 'exchange_token_rejected':
      return [
        `The provider ${grant.provider} needs exactly these:`,
        `    issuer:            ${config.issuer.url}`,
        `    allowed audiences: ${grant.audience} (or none, for the provider's own name)`,
        '    google.subject:    at most 127 bytes after its mapping',
      ].join('\n');
    case 'exchange_request_rejected':
      return 'Are the project number, the pool and the provider of the grant right, and its scopes and lifetime allowed?';
    default:
      return "Can this machine reach Google's Security Token Service, and that the issuer?";
  }
}

function adviseOnVault(code: ErrorCode, grant: VaultGrant, { policy, config }: Context): string {
  switch (code) {
    case 'exchange_denied':
    case 'exchange_token_rejected':
      return [
        `auth/${grant.mount}/config must have the keys of ${config.issuer.url}, and the role ${grant.role}:`,
        `    bound_audiences: ${grant.audience}`,
        `    bound_subject:   ${policy.spiffeId}`,
      ].join('\n');
    case 'exchange_request_rejected':
      return `Is there a role ${grant.role} of type jwt at auth/${grant.mount}, in the namespace of the grant?`;
    case 'exchange_response_invalid':
      return `See the token settings of the role ${grant.role}: it must give tokens that end, and may be used more than once.`;
    default:
      return `Can this machine reach ${grant.address}, is it unsealed, and does caFile have its authority?`;
  }
}

function adviseOnOAuth(code: ErrorCode, grant: OAuthGrant, { policy, config }: Context): string {
  switch (code) {
    case 'exchange_denied':
    case 'exchange_token_rejected':
      return [
        `${grant.issuer} must trust the issuer ${config.issuer.url}, and know`,
        `    subject:  ${policy.spiffeId}`,
        `    audience: ${grant.audience}`,
      ].join('\n');
    case 'exchange_request_rejected':
      return `Does ${grant.issuer} offer ${grant.flow}, and the scope, resource and audience of the grant to this client?`;
    default:
      return `Can this machine reach ${grant.issuer}, and does it publish its metadata?`;
  }
}
