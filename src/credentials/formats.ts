import type { Credentials } from './credentials.ts';
import { credentialFields } from './wire.ts';

/** The ways in which `svidx credentials` prints, and what each is for. */
export const CREDENTIAL_FORMATS = ['json', 'env', 'process'] as const;
export type CredentialFormat = (typeof CREDENTIAL_FORMATS)[number];

/**
 * Credentials as the text that a program reads. This is where they leave in the clear.
 *
 * - `json`: one object with all fields
 * - `env`: shell lines `export NAME='value'`
 * - `process`: what the AWS SDKs expect of a `credential_process` (version 1)
 */
export function formatCredentials(credentials: Credentials, format: CredentialFormat): string {
  const fields = credentialFields(credentials);
  switch (format) {
    case 'json':
      return JSON.stringify(fields);
    case 'process':
      return JSON.stringify({
        Version: 1,
        AccessKeyId: fields.accessKeyId,
        SecretAccessKey: fields.secretAccessKey,
        SessionToken: fields.sessionToken,
        Expiration: fields.expiration,
      });
    case 'env':
      return Object.entries({
        AWS_ACCESS_KEY_ID: fields.accessKeyId,
        AWS_SECRET_ACCESS_KEY: fields.secretAccessKey,
        AWS_SESSION_TOKEN: fields.sessionToken,
        AWS_CREDENTIAL_EXPIRATION: fields.expiration,
        AWS_REGION: fields.region,
      })
        .map(([name, value]) => `export ${name}=${quoteForShell(value)}`)
        .join('\n');
  }
}

/** POSIX shell: between single quotes everything stands for itself, except the single quote. */
function quoteForShell(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
