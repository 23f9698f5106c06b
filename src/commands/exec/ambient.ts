import type { GrantFields } from '../../credentials/grant-fields.ts';

/**
 * What a target's SDKs and tools would use before, or instead of, what they are given here: the credentials of whoever runs
 * the command. A program must not have those by accident.
 */
export const AMBIENT_VARIABLES: Readonly<Record<GrantFields['kind'], readonly string[]>> = {
  // AWS SDKs and Tools Reference Guide, settings reference.
  aws: [
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'AWS_SECURITY_TOKEN',
    'AWS_CREDENTIAL_EXPIRATION',
    'AWS_PROFILE',
    'AWS_DEFAULT_PROFILE',
    'AWS_ROLE_ARN',
    'AWS_ROLE_SESSION_NAME',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
    'AWS_REGION',
    'AWS_DEFAULT_REGION',
  ],
  // Azure Identity client library, EnvironmentCredential, WorkloadIdentityCredential and ManagedIdentityCredential.
  azure: [
    'AZURE_CLIENT_ID',
    'AZURE_TENANT_ID',
    'AZURE_CLIENT_SECRET',
    'AZURE_CLIENT_CERTIFICATE_PATH',
    'AZURE_CLIENT_CERTIFICATE_PASSWORD',
    'AZURE_USERNAME',
    'AZURE_PASSWORD',
    'AZURE_FEDERATED_TOKEN_FILE',
    'AZURE_AUTHORITY_HOST',
    'IDENTITY_ENDPOINT',
    'IDENTITY_HEADER',
    'IDENTITY_SERVER_THUMBPRINT',
    'IMDS_ENDPOINT',
    'MSI_ENDPOINT',
    'MSI_SECRET',
    'AZURE_ACCESS_TOKEN',
  ],
  gcp: [
    'GOOGLE_APPLICATION_CREDENTIALS',
    'CLOUDSDK_AUTH_ACCESS_TOKEN',
    'CLOUDSDK_AUTH_ACCESS_TOKEN_FILE',
    'CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE',
    'GOOGLE_OAUTH_ACCESS_TOKEN',
  ],
  vault: ['VAULT_ADDR', 'VAULT_TOKEN', 'VAULT_NAMESPACE'],
  oauth: ['ACCESS_TOKEN'],
};

/**
 * The AWS SDKs look into the files of a profile before they ask an endpoint (the order of their default chains), and the
 * default profile is somebody's own. An empty file has none.
 */
export const NO_AWS_PROFILES = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' } as const;
