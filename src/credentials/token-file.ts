import type { Grant } from './grant.ts';
import type { AwsGrant } from './grants/aws.ts';
import type { AzureGrant } from './grants/azure.ts';

/** A grant that programs can have by a file with its JWT-SVID. */
export type TokenFileGrant = AwsGrant | AzureGrant;

/**
 * Why the JWT-SVID of this grant must not be in a file; `undefined` where it may be. With the token in hand a program makes
 * the exchange itself, so what our own exchange narrows would not hold.
 */
export function tokenFileProblem(grant: Grant): string | undefined {
  switch (grant.kind) {
    case 'azure':
      return undefined;
    case 'aws':
      return grant.sessionPolicy === undefined && grant.policyArns.length === 0 && grant.assumeRole === undefined
        ? undefined
        : 'a program that has the JWT-SVID would go round its sessionPolicy, policyArns or assumeRole';
    default:
      return 'expected an aws or azure grant';
  }
}

export function isTokenFileGrant(grant: Grant): grant is TokenFileGrant {
  return tokenFileProblem(grant) === undefined;
}

/** The variables that SDKs read beside a file with a JWT-SVID, and the one that names the file. */
export interface TokenFileVariables {
  readonly file: string;
  readonly others: Readonly<Record<string, string>>;
}

/** @param sessionName what CloudTrail shows of an AWS session */
export function tokenFileVariables(grant: TokenFileGrant, sessionName: string): TokenFileVariables {
  switch (grant.kind) {
    case 'aws':
      // AWS SDKs and Tools Reference Guide, assume role with web identity.
      return {
        file: 'AWS_WEB_IDENTITY_TOKEN_FILE',
        others: {
          AWS_ROLE_ARN: grant.roleArn,
          AWS_ROLE_SESSION_NAME: sessionName,
          AWS_REGION: grant.region,
          AWS_DEFAULT_REGION: grant.region,
        },
      };
    case 'azure':
      // Azure Identity client library, WorkloadIdentityCredential.
      return {
        file: 'AZURE_FEDERATED_TOKEN_FILE',
        others: {
          AZURE_TENANT_ID: grant.tenantId,
          AZURE_CLIENT_ID: grant.clientId,
          AZURE_AUTHORITY_HOST: grant.authorityHost,
        },
      };
  }
}
