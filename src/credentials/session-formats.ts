import { SvidxError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import { externalAccountJson } from './external-account.ts';
import type { GrantFields } from './grant-fields.ts';
import { shellExports } from './shell.ts';

/** The ways in which `svidx session open` prints, and what each is for. */
export const SESSION_FORMATS = ['json', 'env', 'google'] as const;
export type SessionFormat = (typeof SESSION_FORMATS)[number];

/** A session as its program needs it. */
export interface SessionAccess {
  readonly session: string;
  readonly secret: Secret;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Where SDKs ask: a URL without a trailing slash. */
  readonly endpoint: string;
  /** What may be asked for in the session. */
  readonly grants: readonly GrantFields[];
}

/**
 * A session as the text that a program reads. This is where its secret leaves in the clear.
 *
 * - `json`: one object with all fields
 * - `env`: shell lines `export NAME='value'` for the AWS and the Azure SDKs
 * - `google`: the credential configuration that Google's SDKs read
 * @throws SvidxError `usage_invalid` where no grant, or more than one, is meant
 */
export function formatSession(access: SessionAccess, format: SessionFormat): string {
  const { session, secret, expiresAt, endpoint, grants } = access;
  switch (format) {
    case 'json':
      return JSON.stringify({
        session,
        secret: secret.reveal(),
        expiresAt: new Date(expiresAt).toISOString(),
        endpoint,
        grants,
      });
    case 'env':
      return shellExports(sdkEnvironment(access));
    case 'google': {
      const grant = onlyOne(grants.filter((candidate) => candidate.kind === 'gcp'));
      if (grant === undefined) throw new SvidxError('usage_invalid', '--format google: there is no gcp grant');
      return externalAccountJson({
        name: grant.name,
        grant: { ...grant, serviceAccount: grant.serviceAccount },
        endpoint,
        secret,
      });
    }
  }
}

/**
 * The variables by which the SDKs of AWS and Azure find their endpoints, unchanged and in their default configuration.
 * @throws SvidxError `usage_invalid` where there is nothing for either, or several grants for AWS
 */
export function sdkEnvironment({
  endpoint,
  secret,
  grants,
}: Pick<SessionAccess, 'endpoint' | 'secret' | 'grants'>): Record<string, string> {
  const aws = onlyOne(grants.filter((grant) => grant.kind === 'aws'));
  const azure = grants.filter((grant) => grant.kind === 'azure');
  const [client, ...others] = new Set(azure.map(({ clientId }) => clientId));
  if (aws === undefined && azure.length === 0) {
    throw new SvidxError('usage_invalid', '--format env: there is neither an aws nor an azure grant');
  }
  return {
    ...(aws === undefined
      ? {}
      : {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/aws/${aws.name}`,
          AWS_CONTAINER_AUTHORIZATION_TOKEN: secret.reveal(),
          AWS_REGION: aws.region,
          // Older SDKs, and the AWS CLI, read only this one.
          AWS_DEFAULT_REGION: aws.region,
        }),
    ...(azure.length === 0 ? {} : { IDENTITY_ENDPOINT: `${endpoint}/azure/token`, IDENTITY_HEADER: secret.reveal() }),
    // Of several the program says itself which one it means.
    ...(client === undefined || others.length > 0 ? {} : { AZURE_CLIENT_ID: client }),
  };
}

function onlyOne<T extends GrantFields>(grants: readonly T[]): T | undefined {
  const [grant, another] = grants;
  if (another === undefined) return grant;
  const names = grants.map(({ name }) => name).join(', ');
  throw new SvidxError('usage_invalid', `--grant: expected one of the ${another.kind} grants: ${names}`);
}
