import { type ErrorCode, toSvidxError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { createBroker } from '../broker/broker.ts';
import type { Config } from '../config/config.ts';
import type { Grant } from '../credentials/grant.ts';
import { createExchangers } from '../exchangers.ts';
import type { JwtSvidSource } from '../identity/source.ts';
import type { ComponentPolicy, NamedGrant, PolicySet } from '../policy/policy-set.ts';
import { type Finding, failed, ok } from './walk.ts';
import type { World } from './world.ts';

export interface ExchangeOptions {
  readonly config: Config;
  readonly policies: PolicySet;
  readonly policy: ComponentPolicy;
  readonly granted: NamedGrant;
  readonly svids: JwtSvidSource;
  readonly world: World;
}

/** One real exchange, through the code that the service runs. Of the credentials only their end is told. */
export async function tryExchange(options: ExchangeOptions): Promise<Finding<undefined>> {
  const { config, policies, policy, granted, svids, world } = options;
  const broker = createBroker({
    policies: () => policies,
    svids,
    exchanger: createExchangers(config, world),
    clock: world.clock,
    random: world.random,
    logger: createLogger({ level: 'silent', destination: { write: () => {} } }),
    cacheSize: 1,
  });
  try {
    const { expiresAt } = await broker.credentials({ component: policy.component }, granted.name);
    return ok(`credentials for ${granted.grant.roleArn} until ${new Date(expiresAt).toISOString()}`);
  } catch (error) {
    return failed(error, advise(toSvidxError(error).code, granted.grant, policy, config));
  }
}

function advise(code: ErrorCode, grant: Grant, { spiffeId }: ComponentPolicy, { issuer }: Config): string {
  // IAM names a provider, and the keys of its conditions, by the issuer without its scheme (IAM user guide).
  const provider = issuer.url.replace(/^https?:\/\//, '');
  const [, partition, , , account] = grant.roleArn.split(':');
  switch (code) {
    case 'exchange_denied':
      return [
        `The trust policy of ${grant.roleArn} must allow sts:AssumeRoleWithWebIdentity to the Federated principal`,
        `    arn:${partition}:iam::${account}:oidc-provider/${provider}`,
        'under these conditions, byte by byte:',
        `    "StringEquals": { "${provider}:sub": "${spiffeId}", "${provider}:aud": "${grant.audience}" }`,
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
    case 'exchange_throttled':
      return 'Try again later. If it stays, something asks far too often: see the audit events of the service.';
    case 'exchange_unavailable':
      return `Can this machine reach the STS of ${grant.region}, and can that fetch the keys of the issuer in time?`;
    default:
      return 'Is what answers AWS STS, or something before it (a proxy, aws.stsEndpoint)?';
  }
}
