import { describe, expect, test } from 'vitest';
import { compilePolicies, type PolicySet } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';

const ROLE = 'roleArn: arn:aws:iam::111122223333:role/r, region: us-east-1';

const policy = (files: string, grants: Readonly<Record<string, string>>, audiences = 'sts.amazonaws.com'): string =>
  [
    'component: api',
    'spiffeId: spiffe://example.org/api',
    'selectors: [a:b]',
    `audiences: [${audiences}]`,
    'grants:',
    ...Object.entries(grants).map(([name, grant]) => `  ${name}: ${grant}`),
    files,
  ].join('\n');

const compile = (text: string): PolicySet =>
  compilePolicies([{ file: 'api.yaml', text }], TrustDomain.parse('example.org'));

const PLAIN = { plain: `{ aws: { ${ROLE} } }` };
const AZURE =
  '{ azure: { tenantId: a.example, clientId: 66666666-7777-8888-9999-000000000000, scope: https://s/.default } }';

describe('files', () => {
  test('are of the grants that are named, and of no other', () => {
    const set = compile(policy('files: [plain]', { ...PLAIN, other: `{ aws: { ${ROLE} } }` }));
    expect(set.get('api')?.grants.map(({ name, inFile }) => [name, inFile])).toEqual([
      ['plain', true],
      ['other', false],
    ]);
  });

  test('do not make another grant of it', () => {
    const fingerprint = (files: string) => compile(policy(files, PLAIN)).get('api')?.grants[0]?.fingerprint;
    expect(fingerprint('files: [plain]')).toBe(fingerprint(''));
  });

  test('may be of Azure grants', () => {
    const set = compile(policy('files: [blobs]', { blobs: AZURE }, '"api://AzureADTokenExchange"'));
    expect(set.get('api')?.grants[0]?.inFile).toBe(true);
  });

  test.each([
    ['of no grant', 'files: [else]', PLAIN, 'files[0]: expected the name of one of its grants'],
    ['called constructor', 'files: [constructor]', PLAIN, 'files[0]: expected the name of one of its grants'],
    ['that are no list', 'files: true', PLAIN, 'files: '],
    ['that are empty', 'files: []', PLAIN, 'files: expected at least one grant'],
    ['that are named twice', 'files: [plain, plain]', PLAIN, 'files: has an entry twice'],
    [
      'of a grant whose audience it may not hold',
      'files: [blobs]',
      { blobs: AZURE },
      'files[0]: expected its audience "api://AzureADTokenExchange" among "audiences"',
    ],
    [
      'of a grant that is narrowed by a policy',
      'files: [g]',
      { g: `{ aws: { ${ROLE}, sessionPolicy: { Version: '2012-10-17' } } }` },
      'files[0]: a program that has the JWT-SVID would go round its sessionPolicy',
    ],
    [
      'of a grant that is narrowed by managed policies',
      'files: [g]',
      { g: `{ aws: { ${ROLE}, policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'] } }` },
      'files[0]: a program that has the JWT-SVID would go round its sessionPolicy',
    ],
    [
      'of a grant of a second role',
      'files: [g]',
      { g: `{ aws: { ${ROLE}, assumeRole: { roleArn: 'arn:aws:iam::111122223333:role/s' } } }` },
      'files[0]: a program that has the JWT-SVID would go round its sessionPolicy',
    ],
    [
      'of a grant of another kind',
      'files: [g]',
      { g: '{ vault: { address: https://vault.example, role: r }, audience: sts.amazonaws.com }' },
      'files[0]: expected an aws or azure grant',
    ],
  ])('%s are an error', (_, files, grants: Readonly<Record<string, string>>, problem) => {
    expect(() => compile(policy(files, grants))).toThrow(problem);
  });
});
