import type { Secret } from '../base/secret.ts';
import type { GcpGrant } from './grants/gcp.ts';

/** The field of our answer that holds the subject token. */
export const SUBJECT_TOKEN_FIELD = 'subject_token';

export interface ExternalAccountOptions {
  /** The name of the grant, as the policy has it. */
  readonly name: string;
  readonly grant: Pick<GcpGrant, 'provider' | 'serviceAccount' | 'lifetimeSeconds'>;
  /** Where the endpoints for SDKs are: a URL without a trailing slash. */
  readonly endpoint: string;
  /** The session's secret. It ends up in the text. */
  readonly secret: Secret;
  /** Google's Security Token Service, where it is another one. */
  readonly tokenUrl?: string;
  /** The IAM Credentials API, where it is another one: a URL without a trailing slash. */
  readonly iamCredentialsUrl?: string;
}

/**
 * The credential configuration that Google's SDKs read where `GOOGLE_APPLICATION_CREDENTIALS` points: type
 * `external_account`, with a subject token that they fetch from us (AIP-4117, Google Cloud IAM: workload identity federation).
 * @returns JSON, with the session's secret in the clear: for a file that only its user may read
 */
export function externalAccountJson(options: ExternalAccountOptions): string {
  const { name, grant, endpoint, secret } = options;
  const { provider, serviceAccount, lifetimeSeconds } = grant;
  const tokenUrl = options.tokenUrl ?? 'https://sts.googleapis.com/v1/token';
  const iamUrl = options.iamCredentialsUrl ?? 'https://iamcredentials.googleapis.com';
  return JSON.stringify(
    {
      type: 'external_account',
      audience: `//iam.googleapis.com/${provider}`,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: tokenUrl,
      ...(serviceAccount === undefined
        ? {}
        : {
            service_account_impersonation_url: `${iamUrl}/v1/projects/-/serviceAccounts/${serviceAccount}:generateAccessToken`,
            service_account_impersonation: { token_lifetime_seconds: lifetimeSeconds },
          }),
      credential_source: {
        url: `${endpoint}/gcp/${name}/subject-token`,
        headers: { Authorization: `Bearer ${secret.reveal()}` },
        format: { type: 'json', subject_token_field_name: SUBJECT_TOKEN_FIELD },
      },
    },
    null,
    2,
  );
}
