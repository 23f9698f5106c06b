import type { AzureGrant } from '../../src/credentials/grants/azure.ts';
import type { GcpGrant } from '../../src/credentials/grants/gcp.ts';

export const TENANT_ID = '11111111-2222-4333-8444-555555555555';
export const CLIENT_ID = '66666666-7777-4888-8999-aaaaaaaaaaaa';

/** @param authorityHost where Entra is */
export function blobsGrant(authorityHost: string, changes: Partial<AzureGrant> = {}): AzureGrant {
  return {
    kind: 'azure',
    audience: 'api://AzureADTokenExchange',
    target: CLIENT_ID,
    tenantId: TENANT_ID,
    clientId: CLIENT_ID,
    scope: 'https://storage.azure.com/.default',
    authorityHost,
    ...changes,
  };
}

export const PROVIDER = 'projects/123456789012/locations/global/workloadIdentityPools/components/providers/spire';
export const SERVICE_ACCOUNT = 'models@example-project.iam.gserviceaccount.com';

export const FEDERATED_GRANT: GcpGrant = Object.freeze({
  kind: 'gcp',
  audience: `https://iam.googleapis.com/${PROVIDER}`,
  target: PROVIDER,
  provider: PROVIDER,
  serviceAccount: undefined,
  scopes: ['https://www.googleapis.com/auth/devstorage.read_only'],
  lifetimeSeconds: 3600,
});

export const IMPERSONATING_GRANT: GcpGrant = Object.freeze({
  ...FEDERATED_GRANT,
  target: SERVICE_ACCOUNT,
  serviceAccount: SERVICE_ACCOUNT,
  lifetimeSeconds: 1800,
});
