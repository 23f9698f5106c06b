import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { policyGrant } from '../../src/policy/policy-grant.ts';
import { compile } from '../support/policies.ts';

const grantsDocument = z.strictObject({ grants: z.record(z.string(), policyGrant) });

/** The indented blocks that begin with `grants:`. */
function examplesIn(file: string): string[] {
  const blocks = readFileSync(file, 'utf8').matchAll(/^ {4}grants:\n(?: {4}.*\n)+/gm);
  return [...blocks].map(([block]) => block);
}

describe('the grants that the documentation shows', () => {
  test.each([
    ['README.md', ['azure', 'gcp', 'oauth', 'vault']],
    ['deploy/azure/README.md', ['azure']],
    ['deploy/gcp/README.md', ['gcp']],
    ['deploy/oauth/README.md', ['oauth']],
    ['deploy/vault/README.md', ['vault']],
  ])('%s: are good ones', (file, kinds) => {
    const grants = examplesIn(file).flatMap((text) => Object.values(grantsDocument.parse(parse(text)).grants));
    expect(grants.map(({ grant }) => grant.kind)).toEqual(expect.arrayContaining(kinds));
  });

  test('README.md: so is what a component may do in its host', () => {
    const [block = ''] = readFileSync('README.md', 'utf8').match(/^ {4}wasi:.*\n(?: {4}.*\n)+/m) ?? [];
    const head = 'component: api\nspiffeId: spiffe://example.org/api\nselectors: [a:b]\n';
    const policy = compile(head + block.replace(/^ {4}/gm, '')).get('api');
    expect(policy?.egress.map(({ host }) => host)).toEqual([
      'sts.us-east-1.amazonaws.com',
      'api.example.com',
      'localhost',
    ]);
    expect([policy?.wasi, policy?.config]).toEqual([['clocks', 'random', 'stdio'], [['GREETING', 'hello']]]);
  });

  test('deploy/vault/: the role is one for the audience of the grant', () => {
    const role = JSON.parse(readFileSync('deploy/vault/role.json', 'utf8'));
    const [text = ''] = examplesIn('deploy/vault/README.md');
    const audiences = Object.values(grantsDocument.parse(parse(text)).grants).map(({ grant }) => grant.audience);
    expect(role).toMatchObject({ role_type: 'jwt', bound_audiences: audiences });
  });
});
