import { describe, expect, test } from 'vitest';
import { grantSchema } from '../../../src/credentials/grant.ts';

const TENANT = '11111111-2222-4333-8444-555555555555';
const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa';
const GOOD = { tenantId: TENANT, clientId: CLIENT, scope: 'https://storage.azure.com/.default' };

/** What is wrong with a grant: each problem as `key: message`. */
function problems(changes: Readonly<Record<string, unknown>>): string[] {
  const result = grantSchema.safeParse({ azure: { ...GOOD, ...changes } });
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a grant for Azure', () => {
  test('is read into a frozen value with what it leaves out', () => {
    const grant = grantSchema.parse({ azure: GOOD });
    expect(grant).toEqual({
      kind: 'azure',
      audience: 'api://AzureADTokenExchange',
      target: CLIENT,
      ...GOOD,
      authorityHost: 'https://login.microsoftonline.com',
    });
    expect(Object.isFrozen(grant)).toBe(true);
  });

  test('has the audience of a sovereign cloud where it says so', () => {
    const authorityHost = 'https://login.partner.microsoftonline.cn';
    const audience = 'api://AzureADTokenExchangeChina';
    expect(grantSchema.parse({ azure: { ...GOOD, authorityHost }, audience })).toMatchObject({
      authorityHost,
      audience,
    });
  });

  test.each([
    ['no tenant', { tenantId: undefined }, 'azure.tenantId: Invalid input: expected string, received undefined'],
    ['no client', { clientId: undefined }, 'azure.clientId: Invalid input: expected string, received undefined'],
    ['no scope', { scope: undefined }, 'azure.scope: Invalid input: expected string, received undefined'],
    ['a secret', { clientSecret: 'x' }, 'azure: Unrecognized key: "clientSecret"'],
    [
      'scopes',
      { scope: ['https://storage.azure.com/.default'] },
      'azure.scope: Invalid input: expected string, received array',
    ],
  ])('is not one with %s', (_, changes, problem) => {
    expect(problems(changes)).toEqual([problem]);
  });
});

describe('a tenant', () => {
  test.each([TENANT, TENANT.toUpperCase(), 'example.org', 'contoso.onmicrosoft.com', 'a-b.example.co'])(
    'may be %s',
    (tenantId) => {
      expect(problems({ tenantId })).toEqual([]);
    },
  );

  test.each([
    '',
    'common',
    'organizations',
    'consumers',
    'adfs',
    'localhost',
    TENANT.slice(1),
    `${TENANT}0`,
    `{${TENANT}}`,
    ` ${TENANT}`,
    `${TENANT}\n`,
    `${TENANT}/..`,
    `${TENANT}/oauth2`,
    `${TENANT}?x`,
    `${TENANT}#x`,
    '..',
    '../x.example.org',
    'example.org/',
    'example.org:443',
    'user@example.org',
    '.example.org',
    'example..org',
    '-a.example.org',
    'a-.example.org',
    'example.org.',
    'exämple.org',
    'example.0rg',
    `${'a.'.repeat(127)}org`,
    '%2e%2e.example.org',
  ])('is not %j', (tenantId) => {
    expect(new Set(problems({ tenantId }).map((problem) => problem.split(':')[0]))).toEqual(
      new Set(['azure.tenantId']),
    );
  });

  test('is named with what was expected', () => {
    expect(problems({ tenantId: 'common' })).toEqual([
      'azure.tenantId: expected the ID of a tenant, or one of its domains',
    ]);
  });
});

describe('a client', () => {
  test.each([CLIENT, CLIENT.toUpperCase()])('may be %s', (clientId) => {
    expect(problems({ clientId })).toEqual([]);
  });

  test.each([
    '',
    'models',
    CLIENT.slice(1),
    `${CLIENT}0`,
    ` ${CLIENT}`,
    `${CLIENT}\n`,
    `{${CLIENT}}`,
    CLIENT.replaceAll('-', ''),
    CLIENT.replace('6', 'g'),
  ])('is not %j', (clientId) => {
    expect(problems({ clientId })).toEqual(['azure.clientId: expected a client ID, a GUID']);
  });
});

describe('a scope', () => {
  test.each([
    'https://storage.azure.com/.default',
    'https://vault.azure.net/.default',
    'https://management.azure.com//.default',
    `api://${CLIENT}/.default`,
    `${CLIENT}/.default`,
  ])('may be %s', (scope) => {
    expect(problems({ scope })).toEqual([]);
  });

  test.each([
    '',
    '/.default',
    'https://storage.azure.com',
    'https://storage.azure.com/',
    'https://storage.azure.com/.default/',
    'https://storage.azure.com/user_impersonation',
    'https://storage.azure.com/.Default',
    'https://storage.azure.com/.default https://vault.azure.net/.default',
    ' https://storage.azure.com/.default',
    'https://storage.azure.com/.default\n',
  ])('is not %j', (scope) => {
    expect(problems({ scope })).toEqual(['azure.scope: expected one scope that ends with /.default']);
  });

  test('has at most 2048 characters', () => {
    expect(problems({ scope: `${'x'.repeat(2039)}/.default` })).toEqual([]);
    expect(problems({ scope: `${'x'.repeat(2040)}/.default` })).toHaveLength(1);
  });
});

describe('an authority host', () => {
  test.each([
    'https://login.microsoftonline.com',
    'https://login.microsoftonline.us',
    'https://login.partner.microsoftonline.cn',
    'https://login.example.org:8443',
    'http://127.0.0.1:4443',
    'http://localhost',
  ])('may be %s', (authorityHost) => {
    expect(problems({ authorityHost })).toEqual([]);
  });

  test.each([
    '',
    'login.microsoftonline.com',
    'http://login.microsoftonline.com',
    'https://login.microsoftonline.com/',
    'https://login.microsoftonline.com/common',
    'https://login.microsoftonline.com?x',
    'https://login.microsoftonline.com#x',
    'https://user@login.microsoftonline.com',
    'https://login.microsoftonline.com@evil.example.org',
    'https:\\\\login.microsoftonline.com',
    'https://login.microsoftonline.com\n',
    'ftp://login.microsoftonline.com',
    'http://127.0.0.1.evil.example.org',
  ])('is not %j', (authorityHost) => {
    expect(problems({ authorityHost })).toEqual(['azure.authorityHost: expected an https URL without path']);
  });
});
