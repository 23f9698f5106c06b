import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { GrantFields } from '../../src/credentials/grant-fields.ts';
import { formatSession, sdkEnvironment } from '../../src/credentials/session-formats.ts';
import { refusal } from '../support/errors.ts';

const endpoint = 'http://127.0.0.1:8081';
const secret = new Secret('the-secret');
const aws: GrantFields = { name: 'models', kind: 'aws', region: 'eu-central-1' };
const azure: GrantFields = { name: 'blobs', kind: 'azure', tenantId: 't', clientId: 'c1' };
const gcp: GrantFields = { name: 'files', kind: 'gcp', provider: 'projects/1/p', lifetimeSeconds: 3600 };
const vault: GrantFields = { name: 'kv', kind: 'vault' };

const ofAws = {
  AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/aws/models`,
  AWS_CONTAINER_AUTHORIZATION_TOKEN: 'the-secret',
  AWS_REGION: 'eu-central-1',
  AWS_DEFAULT_REGION: 'eu-central-1',
};
const ofAzure = { IDENTITY_ENDPOINT: `${endpoint}/azure/token`, IDENTITY_HEADER: 'the-secret' };

describe('the environment of the SDKs', () => {
  test.each<[string, GrantFields[], Record<string, string>]>([
    ['AWS', [aws], ofAws],
    ['Azure with one client, which it is told', [azure], { ...ofAzure, AZURE_CLIENT_ID: 'c1' }],
    [
      'Azure with two grants of one client',
      [azure, { ...azure, name: 'queues' }],
      { ...ofAzure, AZURE_CLIENT_ID: 'c1' },
    ],
    ['Azure with two clients, of which it names one itself', [azure, { ...azure, clientId: 'c2' }], ofAzure],
    [
      'both, and what is for others left out',
      [aws, azure, gcp, vault],
      { ...ofAws, ...ofAzure, AZURE_CLIENT_ID: 'c1' },
    ],
  ])('%s', (_, grants, expected) => {
    expect(sdkEnvironment({ endpoint, secret, grants })).toEqual(expected);
  });

  test.each<[string, GrantFields[], string]>([
    ['two grants for AWS, since there is one variable', [aws, { ...aws, name: 'others' }], 'models, others'],
    ['nothing for either', [gcp, vault], 'neither'],
    ['nothing at all', [], 'neither'],
  ])('is refused with %s', async (_, grants, message) => {
    const error = await refusal(() => sdkEnvironment({ endpoint, secret, grants }));
    expect(error).toMatchObject({ code: 'usage_invalid', message: expect.stringContaining(message) });
  });
});

describe('a session for Google', () => {
  const access = { session: 'id', secret, expiresAt: 0, endpoint };

  test('is the credential file of its one grant', () => {
    expect(JSON.parse(formatSession({ ...access, grants: [aws, gcp] }, 'google'))).toMatchObject({
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/p',
      credential_source: { url: `${endpoint}/gcp/files/subject-token` },
    });
  });

  test.each<[string, GrantFields[]]>([
    ['without a grant for it', [aws]],
    ['with two', [gcp, { ...gcp, name: 'others' }]],
  ])('is refused %s', async (_, grants) => {
    const error = await refusal(() => formatSession({ ...access, grants }, 'google'));
    expect(error.code).toBe('usage_invalid');
  });
});
