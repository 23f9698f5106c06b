import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { grantSchema } from '../../src/credentials/grant.ts';
import { upstreamOf } from '../../src/credentials/upstream-of.ts';

const name = (yaml: string): string => upstreamOf(grantSchema.parse(parse(yaml)));

const TENANT = '11111111-2222-3333-4444-555555555555';
const CLIENT = '66666666-7777-8888-9999-000000000000';
const aws = (role: string, region: string): string => `aws: { roleArn: '${role}', region: ${region} }`;
const azure = (client: string, rest = ''): string =>
  `azure: { tenantId: ${TENANT}, clientId: ${client}, scope: 'https://vault.azure.net/.default' ${rest} }`;
const gcp = (project: number, pool: string, rest = ''): string =>
  `gcp: { provider: projects/${project}/locations/global/workloadIdentityPools/${pool}/providers/spire ${rest} }`;
const vault = (address: string, rest = ''): string => `vault: { address: '${address}', role: api ${rest} }`;
const oauth = (issuer: string, rest = ''): string => `oauth: { issuer: '${issuer}' ${rest} }`;

const MODELS = 'arn:aws:iam::111122223333:role/models';

test.each([
  [aws(MODELS, 'us-east-1'), 'aws aws 111122223333 us-east-1'],
  [azure(CLIENT), `azure https://login.microsoftonline.com/${TENANT}`],
  [gcp(123, 'workloads'), 'gcp projects/123'],
  [vault('https://vault.example.org'), 'vault https://vault.example.org'],
  [vault('https://vault.example.org', ', namespace: teams/a'), 'vault https://vault.example.org teams/a'],
  [oauth('https://as.example.org'), 'oauth https://as.example.org'],
])('%s is asked of %s', (yaml, expected) => {
  expect(name(yaml)).toBe(expected);
});

test.each([
  ['another role of the account', aws(MODELS, 'eu-west-1'), aws('arn:aws:iam::111122223333:role/x/y', 'eu-west-1')],
  ['another application of the tenant', azure(CLIENT), azure(TENANT)],
  ['another pool of the project', gcp(1, 'workloads'), gcp(1, 'elsewhere', ', scopes: [https://example.org/a]')],
  ['another role of the server', vault('https://v.example.org'), vault('https://v.example.org', ', mount: other')],
  ['another client of the server', oauth('https://as.example.org'), oauth('https://as.example.org', ', clientId: x')],
])('%s is the same upstream', (_, one, other) => {
  expect(name(other)).toBe(name(one));
});

test.each([
  ['another region', aws(MODELS, 'us-east-1'), aws(MODELS, 'eu-west-1')],
  ['another account', aws(MODELS, 'us-east-1'), aws('arn:aws:iam::444455556666:role/models', 'us-east-1')],
  ['another authority', azure(CLIENT), azure(CLIENT, ", authorityHost: 'https://login.microsoftonline.us'")],
  ['another project', gcp(1, 'workloads'), gcp(11, 'workloads')],
  ['another Vault', vault('https://a.example.org'), vault('https://b.example.org')],
  ['another namespace', vault('https://a.example.org'), vault('https://a.example.org', ', namespace: n')],
  ['other trusted authorities', vault('https://a.example.org'), vault('https://a.example.org', ', caFile: /ca.pem')],
  ['another issuer', oauth('https://as.example.org'), oauth('https://as.example.org/')],
])('%s is another upstream', (_, one, other) => {
  expect(name(other)).not.toBe(name(one));
});
