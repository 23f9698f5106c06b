import { SvidxError } from '../base/errors.ts';
import type { Credentials } from './credentials.ts';
import { shellExports } from './shell.ts';
import { type CredentialFields, credentialFields } from './wire.ts';

/** The ways in which `svidx credentials` prints, and what each is for. */
export const CREDENTIAL_FORMATS = ['json', 'env', 'process'] as const;
export type CredentialFormat = (typeof CREDENTIAL_FORMATS)[number];

/**
 * Credentials as the text that a program reads. This is where they leave in the clear.
 *
 * - `json`: one object with all fields
 * - `env`: shell lines `export NAME='value'`
 * - `process`: what the AWS SDKs expect of a `credential_process` (version 1)
 * @throws SvidxError `usage_invalid` for `process` with credentials of another kind, and for `env` with a token that is bound to a key
 */
export function formatCredentials(credentials: Credentials, format: CredentialFormat): string {
  const fields = credentialFields(credentials);
  switch (format) {
    case 'json':
      return JSON.stringify(fields);
    case 'process':
      return JSON.stringify(processFields(fields));
    case 'env':
      return shellExports(credentialEnvironment(fields));
  }
}

function processFields(fields: CredentialFields): object {
  if (fields.kind !== 'aws') {
    throw new SvidxError('usage_invalid', `--format process: is for AWS credentials, and this grant is ${fields.kind}`);
  }
  return {
    Version: 1,
    AccessKeyId: fields.accessKeyId,
    SecretAccessKey: fields.secretAccessKey,
    SessionToken: fields.sessionToken,
    Expiration: fields.expiration,
  };
}

/**
 * The variables that the target's own tools read, with secrets in the clear.
 * @throws SvidxError `usage_invalid` for a token that is bound to a key: no tool reads that from a variable
 */
export function credentialEnvironment(fields: CredentialFields): Readonly<Record<string, string>> {
  switch (fields.kind) {
    case 'aws':
      return {
        AWS_ACCESS_KEY_ID: fields.accessKeyId,
        AWS_SECRET_ACCESS_KEY: fields.secretAccessKey,
        AWS_SESSION_TOKEN: fields.sessionToken,
        AWS_CREDENTIAL_EXPIRATION: fields.expiration,
        AWS_REGION: fields.region,
      };
    case 'vault':
      return {
        VAULT_ADDR: fields.address,
        VAULT_TOKEN: fields.token,
        ...(fields.namespace === undefined ? {} : { VAULT_NAMESPACE: fields.namespace }),
      };
    case 'gcp':
      // Read by gcloud; the second by Terraform and others.
      return { CLOUDSDK_AUTH_ACCESS_TOKEN: fields.token, GOOGLE_OAUTH_ACCESS_TOKEN: fields.token };
    case 'azure':
      return { AZURE_ACCESS_TOKEN: fields.token };
    case 'oauth':
      if (fields.tokenType === 'Bearer') return { ACCESS_TOKEN: fields.token };
      throw new SvidxError(
        'usage_invalid',
        'the grant gives an access token that is bound to a key (dpop), which no variable is for: use --format json, or another --grant',
      );
  }
}
