import { expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { externalAccountJson } from '../../src/credentials/external-account.ts';

const PROVIDER = 'projects/1234/locations/global/workloadIdentityPools/pool-one/providers/spire';
const base = {
  name: 'files',
  grant: { provider: PROVIDER, serviceAccount: undefined, lifetimeSeconds: 1800 },
  endpoint: 'http://127.0.0.1:8081',
  secret: new Secret('the-secret'),
};

test('the federated identity itself', () => {
  expect(JSON.parse(externalAccountJson(base))).toEqual({
    type: 'external_account',
    audience: `//iam.googleapis.com/${PROVIDER}`,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: 'https://sts.googleapis.com/v1/token',
    credential_source: {
      url: 'http://127.0.0.1:8081/gcp/files/subject-token',
      headers: { Authorization: 'Bearer the-secret' },
      format: { type: 'json', subject_token_field_name: 'subject_token' },
    },
  });
});

test('a service account, for as long as the grant says', () => {
  const grant = { ...base.grant, serviceAccount: 'reader@example.iam.gserviceaccount.com' };
  expect(JSON.parse(externalAccountJson({ ...base, grant }))).toMatchObject({
    service_account_impersonation_url:
      'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/reader@example.iam.gserviceaccount.com:generateAccessToken',
    service_account_impersonation: { token_lifetime_seconds: 1800 },
  });
});

test('other servers', () => {
  const tokenUrl = 'http://127.0.0.1:1/v1/token';
  const json = externalAccountJson({ ...base, tokenUrl, iamCredentialsUrl: 'http://127.0.0.1:2' });
  expect(JSON.parse(json)).toMatchObject({ token_url: tokenUrl });
  expect(JSON.parse(json)).not.toHaveProperty('service_account_impersonation_url');
});
