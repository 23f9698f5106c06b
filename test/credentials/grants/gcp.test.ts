import { describe, expect, test } from 'vitest';
import { grantSchema } from '../../../src/credentials/grant.ts';

const PROVIDER = 'projects/123456789012/locations/global/workloadIdentityPools/components/providers/spire';
const ACCOUNT = 'models@example-project.iam.gserviceaccount.com';

/** What is wrong with a grant: each problem as `key: message`. */
function problems(changes: Readonly<Record<string, unknown>>): string[] {
  const result = grantSchema.safeParse({ gcp: { provider: PROVIDER, ...changes } });
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a grant for Google Cloud', () => {
  test('is read into a frozen value with what it leaves out', () => {
    const grant = grantSchema.parse({ gcp: { provider: PROVIDER } });
    expect(grant).toEqual({
      kind: 'gcp',
      audience: `https://iam.googleapis.com/${PROVIDER}`,
      target: PROVIDER,
      provider: PROVIDER,
      serviceAccount: undefined,
      scopes: ['https://www.googleapis.com/auth/cloud-platform'],
      lifetimeSeconds: 3600,
    });
    expect(Object.isFrozen(grant)).toBe(true);
  });

  test('is about its service account where it names one', () => {
    const gcp = { provider: PROVIDER, serviceAccount: ACCOUNT, scopes: ['https://a.example'], lifetime: '10m' };
    expect(grantSchema.parse({ gcp, audience: 'components' })).toMatchObject({
      audience: 'components',
      target: ACCOUNT,
      serviceAccount: ACCOUNT,
      scopes: ['https://a.example'],
      lifetimeSeconds: 600,
    });
  });

  test.each([
    ['no provider', { provider: undefined }, 'gcp.provider: Invalid input: expected string, received undefined'],
    ['a key', { privateKey: 'x' }, 'gcp: Unrecognized key: "privateKey"'],
    ['another universe', { universeDomain: 'evil.example.org' }, 'gcp: Unrecognized key: "universeDomain"'],
    [
      'scopes that are a text',
      { scopes: 'https://a.example' },
      'gcp.scopes: Invalid input: expected array, received string',
    ],
  ])('is not one with %s', (_, changes, problem) => {
    expect(problems(changes)).toEqual([problem]);
  });
});

describe('a provider', () => {
  const expected =
    'gcp.provider: expected projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the project number';

  test.each([
    PROVIDER,
    'projects/1/locations/global/workloadIdentityPools/pool/providers/prov',
    `projects/1/locations/global/workloadIdentityPools/${'p'.repeat(32)}/providers/${'q'.repeat(32)}`,
  ])('may be %s', (provider) => {
    expect(problems({ provider })).toEqual([]);
  });

  test.each([
    '',
    `//iam.googleapis.com/${PROVIDER}`,
    `https://iam.googleapis.com/${PROVIDER}`,
    `/${PROVIDER}`,
    `${PROVIDER}/`,
    ` ${PROVIDER}`,
    `${PROVIDER}\n`,
    PROVIDER.replace('123456789012', 'example-project'),
    PROVIDER.replace('123456789012', '12345678901234567890'),
    PROVIDER.replace('123456789012', '١٢٣'),
    PROVIDER.replace('global', 'us-east1'),
    PROVIDER.replace('components', 'abc'),
    PROVIDER.replace('components', 'p'.repeat(33)),
    PROVIDER.replace('components', 'Components'),
    PROVIDER.replace('components', 'com_ponents'),
    PROVIDER.replace('spire', 'spi'),
    PROVIDER.replace('spire', '../spire'),
    PROVIDER.replace('/providers/spire', ''),
    PROVIDER.replace('workloadIdentityPools', 'workforcePools'),
  ])('is not %j', (provider) => {
    expect(problems({ provider })).toEqual([expected]);
  });
});

describe('a service account', () => {
  test.each([
    ACCOUNT,
    '123456789012-compute@developer.gserviceaccount.com',
    'example-project@appspot.gserviceaccount.com',
    'm@example-project.example.org.iam.gserviceaccount.com',
  ])('may be %s', (serviceAccount) => {
    expect(problems({ serviceAccount })).toEqual([]);
  });

  test.each([
    '',
    'models',
    'models@example.org',
    'models@gserviceaccount.com',
    'models@evil.example.org/gserviceaccount.com',
    `${ACCOUNT}.evil.example.org`,
    `${ACCOUNT}:generateIdToken`,
    `${ACCOUNT}/../x`,
    `../${ACCOUNT}`,
    `projects/-/serviceAccounts/${ACCOUNT}`,
    `${ACCOUNT}?x`,
    `${ACCOUNT}#x`,
    `a@${ACCOUNT}`,
    `${ACCOUNT.toUpperCase()}`,
    ` ${ACCOUNT}`,
    `${ACCOUNT}\n`,
    `mödels@example-project.iam.gserviceaccount.com`,
    '-@example-project.iam.gserviceaccount.com',
    'a%2fb@example-project.iam.gserviceaccount.com',
  ])('is not %j', (serviceAccount) => {
    expect(problems({ serviceAccount })).toEqual([
      'gcp.serviceAccount: expected the e-mail address of a service account',
    ]);
  });
});

describe('scopes', () => {
  test.each([
    '',
    'cloud-platform',
    'http://www.googleapis.com/auth/cloud-platform',
    'https://',
    'https://www.googleapis.com/auth/a https://www.googleapis.com/auth/b',
    ' https://www.googleapis.com/auth/a',
    'https://www.googleapis.com/auth/a\n',
  ])('do not have %j among them', (scope) => {
    expect(problems({ scopes: ['https://www.googleapis.com/auth/cloud-platform', scope] })).toEqual([
      'gcp.scopes.1: expected a scope, https://www.googleapis.com/auth/...',
    ]);
  });

  test('are 1 to 100', () => {
    const scopes = Array.from({ length: 101 }, (_, index) => `https://www.googleapis.com/auth/${index}`);
    expect(problems({ scopes: [] })).toEqual(['gcp.scopes: expected at least one scope']);
    expect(problems({ scopes: scopes.slice(1) })).toEqual([]);
    expect(problems({ scopes })).toHaveLength(1);
  });
});

describe('a lifetime', () => {
  test.each([
    ['10m', 600],
    ['1h', 3600],
    ['12h', 43_200],
  ])('may be %s', (lifetime, lifetimeSeconds) => {
    expect(grantSchema.parse({ gcp: { provider: PROVIDER, lifetime } })).toMatchObject({ lifetimeSeconds });
  });

  test.each(['599s', '9m', '43201s', '13h', '0s', '-1h', '1.5h', '1d', '', '1 h'])('is not %j', (lifetime) => {
    expect(problems({ lifetime })).toEqual(['gcp.lifetime: expected a duration of 10m to 12h, such as 1h']);
  });
});
