import { describe, expect, test } from 'vitest';
import { grantSchema } from '../../../src/credentials/grant.ts';
import type { OAuthGrant } from '../../../src/credentials/grants/oauth.ts';

const ISSUER = 'https://login.example.org/realms/team';

function parse(oauth: Record<string, unknown>, more: Record<string, unknown> = {}): OAuthGrant {
  const grant = grantSchema.parse({ oauth: { issuer: ISSUER, ...oauth }, ...more });
  if (grant.kind !== 'oauth') throw new Error(`expected a grant for an OAuth server, and got ${grant.kind}`);
  return grant;
}

/** What is wrong with a grant: each problem as `key: message`. */
function problems(oauth: Record<string, unknown>): string[] {
  const result = grantSchema.safeParse({ oauth: { issuer: ISSUER, ...oauth } });
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a good grant', () => {
  test('is read into a frozen value, with token exchange where nothing else is said', () => {
    const grant = parse({});
    expect(grant).toEqual({
      kind: 'oauth',
      audience: ISSUER,
      target: ISSUER,
      issuer: ISSUER,
      flow: 'token-exchange',
      clientId: undefined,
      assertionType: 'jwt-bearer',
      resource: [],
      targetAudience: [],
      scope: undefined,
      dpop: false,
    });
    expect([grant, grant.resource, grant.targetAudience].every(Object.isFrozen)).toBe(true);
  });

  test('has an audience of its own where it says so', () => {
    expect(parse({}, { audience: 'https://login.example.org' }).audience).toBe('https://login.example.org');
  });

  test.each([
    [{ flow: 'token-exchange', clientId: 'x', targetAudience: ['a', 'b'], resource: ['https://a', 'urn:b:c'] }],
    [{ flow: 'jwt-bearer', clientId: 'x', resource: ['https://a/b?c'], scope: 'read write' }],
    [{ flow: 'client-credentials', resource: ['https://a'], scope: 'openid' }],
    [{ flow: 'client-credentials', assertionType: 'jwt-spiffe' }],
    [{ dpop: true }],
    [{ dpop: false }],
    [{ flow: 'jwt-bearer', dpop: true }],
    [{ flow: 'client-credentials', dpop: true }],
    [{ flow: 'client-credentials', assertionType: 'jwt-bearer', clientId: 'spiffe://example.org/api' }],
  ])('may say %j', (document) => {
    expect(parse(document)).toMatchObject(document);
  });

  test.each([
    'https://a.example',
    'https://a.example/',
    'https://a.example/b/',
    'http://127.0.0.1:8080',
    'http://[::1]',
  ])('may be for the issuer %s, kept to the letter', (issuer) => {
    expect(parse({ issuer })).toMatchObject({ issuer, target: issuer, audience: issuer });
  });
});

describe('what a flow does not send may not be asked of it', () => {
  test.each([
    ['jwt-bearer', 'targetAudience', ['a'], 'token-exchange'],
    ['client-credentials', 'targetAudience', ['a'], 'token-exchange'],
    ['token-exchange', 'assertionType', 'jwt-spiffe', 'client-credentials'],
    ['token-exchange', 'assertionType', 'jwt-bearer', 'client-credentials'],
    ['jwt-bearer', 'assertionType', 'jwt-spiffe', 'client-credentials'],
    [undefined, 'assertionType', 'jwt-spiffe', 'client-credentials'],
  ])('flow %s with %s', (flow, key, value, only) => {
    expect(problems({ ...(flow === undefined ? {} : { flow }), [key]: value })).toEqual([
      `oauth.${key}: expected only with flow ${only}`,
    ]);
  });

  test('each of two is named', () => {
    expect(problems({ flow: 'jwt-bearer', assertionType: 'jwt-spiffe', targetAudience: ['a'] })).toEqual([
      'oauth.assertionType: expected only with flow client-credentials',
      'oauth.targetAudience: expected only with flow token-exchange',
    ]);
  });
});

describe('an issuer', () => {
  const URL_WANTED = 'oauth.issuer: expected an https URL without credentials, query and fragment';

  test.each([
    '',
    'login.example.org',
    'http://login.example.org',
    'http://127.0.0.1.example.org',
    'https://user:secret@login.example.org',
    'https://login.example.org?tenant=1',
    'https://login.example.org#x',
    'https:/login.example.org',
    ' https://login.example.org',
    'https://login.example.org\n',
    'https:\\\\login.example.org',
    'ftp://login.example.org',
    'HTTPS://login.example.org',
  ])('is not %j', (issuer) => {
    expect(problems({ issuer })).toEqual([URL_WANTED]);
  });

  test.each([
    'https://login.example.org/.well-known/openid-configuration',
    'https://login.example.org/.well-known/oauth-authorization-server/tenant',
  ])('is not the place of its metadata: %s', (issuer) => {
    expect(problems({ issuer })).toEqual(['oauth.issuer: expected the issuer itself, not where its metadata are']);
  });
});

describe('each other key', () => {
  test.each([
    ['flow', 'authorization-code', 'flow'],
    ['flow', '', 'flow'],
    ['assertionType', 'saml2-bearer', 'assertionType'],
    ['clientId', '', 'clientId'],
    ['clientId', 'a\nb', 'clientId'],
    ['clientId', 'ä', 'clientId'],
    ['clientSecret', 'x', ''],
    ['resource', [], 'resource'],
    ['resource', 'https://a', 'resource'],
    ['resource', ['a'], 'resource.0'],
    ['resource', ['/a'], 'resource.0'],
    ['resource', ['https://a', 'https://a#b'], 'resource.1'],
    ['resource', ['https://a#'], 'resource.0'],
    ['resource', [' https://a'], 'resource.0'],
    ['resource', ['https://a\n'], 'resource.0'],
    ['resource', Array(21).fill('https://a'), 'resource'],
    ['targetAudience', [], 'targetAudience'],
    ['targetAudience', 'a', 'targetAudience'],
    ['targetAudience', [''], 'targetAudience.0'],
    ['targetAudience', ['a\u0000'], 'targetAudience.0'],
    ['targetAudience', ['a'.repeat(2049)], 'targetAudience.0'],
    ['scope', '', 'scope'],
    ['scope', ' read', 'scope'],
    ['scope', 'read  write', 'scope'],
    ['scope', 'read\nwrite', 'scope'],
    ['scope', 'a"b', 'scope'],
    ['scope', 'a\\b', 'scope'],
    ['scope', 'ä', 'scope'],
    ['dpop', 'true', 'dpop'],
    ['dpop', 1, 'dpop'],
    ['dpop', null, 'dpop'],
    ['dpop', {}, 'dpop'],
    ['DPoP', true, ''],
    ['proofKey', '{}', ''],
  ])('%s is not %j', (key, value, path) => {
    const found = problems({ [key]: value });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^oauth${path === '' ? '' : `\\.${path}`}: `));
  });
});
