import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { accountOf, providerArn, providerName } from '../../../src/dev/sts/roles.ts';
import { allows } from '../../../src/dev/sts/trust-policy.ts';
import { POLICY, ROLE_ARN, rolesFor, SUBJECT } from '../../support/local-sts.ts';

const ISSUER = 'https://oidc.example.org/tenants/one';
const PROVIDER = 'arn:aws:iam::111122223333:oidc-provider/oidc.example.org/tenants/one';

/** A policy that grants the role to `api`, with this line in its grant. */
const policyWith = (grantLines: string): string => `
component: api
spiffeId: ${SUBJECT}
selectors: [wasmcloud:component:api]
grants:
  models:
${grantLines}
`;

describe('names', () => {
  test.each([
    ['https://oidc.example.org', 'oidc.example.org'],
    ['https://oidc.example.org/tenants/One', 'oidc.example.org/tenants/One'],
    ['http://127.0.0.1:8080', '127.0.0.1:8080'],
    ['https://http://x', 'http://x'],
  ])('the provider of %s is %s', (issuer, name) => {
    expect(providerName(issuer)).toBe(name);
    expect(providerArn('111122223333', issuer)).toBe(`arn:aws:iam::111122223333:oidc-provider/${name}`);
  });

  test('the account is the one in the ARN', () => {
    expect(accountOf(ROLE_ARN)).toBe('111122223333');
    expect(accountOf('not an ARN')).toBe('');
  });
});

describe('the roles that policies name', () => {
  test('have the trust policy of deploy/aws/ with its placeholders filled in, and nothing else', async () => {
    const template = JSON.parse(await readFile('deploy/aws/trust-policy.json', 'utf8'));
    const role = (await rolesFor(ISSUER, POLICY)).get(ROLE_ARN);
    expect(role?.arn).toBe(ROLE_ARN);
    expect(role?.trustPolicy.Statement).toHaveLength(template.Statement.length);
    expect(role?.trustPolicy).toEqual({
      Version: template.Version,
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Federated: [PROVIDER] },
          Action: ['sts:AssumeRoleWithWebIdentity'],
          Condition: {
            StringEquals: {
              'oidc.example.org/tenants/one:sub': [SUBJECT],
              'oidc.example.org/tenants/one:aud': ['sts.amazonaws.com'],
            },
          },
        },
      ],
    });
    expect(JSON.stringify(role)).not.toMatch(/<[A-Z_]+>/);
    // The deployed file pins both: who it is, and that the token was meant for AWS.
    expect(Object.keys(template.Statement[0].Condition.StringEquals)).toEqual(['<ISSUER>:sub', '<ISSUER>:aud']);
  });

  test('last as long as the grants ask for, and an hour at least', async () => {
    const arn = `{ roleArn: '${ROLE_ARN}', region: us-east-1, duration: `;
    expect((await rolesFor(ISSUER, policyWith(`    aws: ${arn} 15m }`))).get(ROLE_ARN)?.maxSessionDuration).toBe(3600);
    expect((await rolesFor(ISSUER, policyWith(`    aws: ${arn} 12h }`))).get(ROLE_ARN)?.maxSessionDuration).toBe(
      43_200,
    );
    const other = policyWith(`    aws: ${arn} 2h }`).replaceAll('api', 'other');
    const both = await rolesFor(ISSUER, policyWith(`    aws: ${arn} 3h }`), other);
    expect(both.get(ROLE_ARN)?.maxSessionDuration).toBe(10_800);
  });

  test('let in each component that is granted them, and no other', async () => {
    const second = POLICY.replace('component: api', 'component: b').replace(SUBJECT, 'spiffe://example.org/b');
    const third = second
      .replaceAll('/b', '/c')
      .replace('component: b', 'component: c')
      .replace(ROLE_ARN, `${ROLE_ARN}2`);
    const roles = await rolesFor(ISSUER, POLICY, second, third);
    const letsIn = (arn: string, sub: string): boolean | undefined => {
      const role = roles.get(arn);
      const context = new Map([
        ['oidc.example.org/tenants/one:sub', sub],
        ['oidc.example.org/tenants/one:aud', 'sts.amazonaws.com'],
      ]);
      return (
        role && allows(role.trustPolicy, { action: 'sts:AssumeRoleWithWebIdentity', principal: PROVIDER, context })
      );
    };
    expect([...roles.keys()]).toEqual([ROLE_ARN, `${ROLE_ARN}2`]);
    expect([SUBJECT, 'spiffe://example.org/b', 'spiffe://example.org/c'].map((sub) => letsIn(ROLE_ARN, sub))).toEqual([
      true,
      true,
      false,
    ]);
    expect(letsIn(`${ROLE_ARN}2`, 'spiffe://example.org/c')).toBe(true);
    expect(letsIn(`${ROLE_ARN}2`, SUBJECT)).toBe(false);
  });

  test('are none where no policy grants one', async () => {
    const policy = 'component: a\nspiffeId: spiffe://example.org/a\nselectors: [a:b]\naudiences: [x]\n';
    expect((await rolesFor(ISSUER, policy)).size).toBe(0);
  });

  test.each(['a"b', 'a\\b', "$&$$$'$`", '<ISSUER>', '*', 'ü東', '"},"x":{"'])(
    'expect the audience %j as it is, whatever it would mean elsewhere',
    async (audience) => {
      const grant = `    audience: ${JSON.stringify(audience)}\n    aws: { roleArn: '${ROLE_ARN}', region: us-east-1 }`;
      const role = (await rolesFor(ISSUER, policyWith(grant))).get(ROLE_ARN);
      expect(role?.trustPolicy.Statement[0]?.Condition).toEqual({
        StringEquals: {
          'oidc.example.org/tenants/one:sub': [SUBJECT],
          'oidc.example.org/tenants/one:aud': [audience],
        },
      });
    },
  );
});
