import type { Grant } from './grant.ts';

/**
 * The name of the upstream that is asked for this grant's credentials: the same for grants that are down together and count
 * against the same quota. It is for logs too, and holds nothing secret.
 *
 * The quotas of AWS STS are those of an account in a region, the ones of Google's Security Token Service those of a project,
 * Vault's may be those of a namespace. A Vault that is trusted by another CA file may answer the one and not the other.
 */
export function upstreamOf(grant: Grant): string {
  switch (grant.kind) {
    case 'aws':
      return `aws ${partsOfArn(grant.roleArn).join(' ')} ${grant.region}`;
    case 'azure':
      return `azure ${grant.authorityHost}/${grant.tenantId}`;
    case 'gcp':
      return `gcp ${grant.provider.split('/').slice(0, 2).join('/')}`;
    case 'vault':
      return ['vault', grant.address, grant.namespace ?? '', grant.caFile ?? ''].join(' ').trimEnd();
    case 'oauth':
      return `oauth ${grant.issuer}`;
  }
}

/** `arn:PARTITION:iam::ACCOUNT:role/...`: its partition and its account. */
function partsOfArn(arn: string): string[] {
  const [, partition = '', , , account = ''] = arn.split(':');
  return [partition, account];
}
