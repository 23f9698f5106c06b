import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { componentName, grantName, policyDocument, policyJsonSchema } from '../../src/policy/document.ts';
import { matchesSchema } from '../support/json-schema.ts';
import { changedPolicy, FULL_POLICY, HOSTING_KEYS, TOKEN_SUBJECTS, UNPINNED_POLICY } from '../support/policies.ts';

const SAMPLES = join(import.meta.dirname, '../../policies');
const samples = readdirSync(SAMPLES).filter((name) => name.endsWith('.yaml'));
const DIGEST = `sha256:${'0'.repeat(64)}`;
const schema: Readonly<Record<string, unknown>> = { ...policyJsonSchema() };

function subjects(from: string, to: string): string {
  if (!TOKEN_SUBJECTS.includes(from)) throw new Error(`not in the policy: ${from}`);
  return UNPINNED_POLICY + TOKEN_SUBJECTS.replace(from, to);
}

/** Both readers of a policy: the editor's schema, and ours. */
function accepted(text: string): { schema: boolean; parser: boolean } {
  const value: unknown = parse(text);
  return { schema: matchesSchema(schema, value), parser: policyDocument.safeParse(value).success };
}

describe('the JSON Schema for editors', () => {
  test('is of draft 2020-12 and describes each key', () => {
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema');
    const properties = Object(schema['properties']);
    expect(Object.keys(properties)).toEqual([
      'component',
      'spiffeId',
      'selectors',
      'digest',
      'digestSelector',
      'audiences',
      'grants',
      'files',
      'wasi',
      'config',
      'egress',
      'tokenEndpoint',
    ]);
    const { tokenEndpoint, ...others } = properties;
    for (const key of Object.keys(others)) expect(others[key].description, key).toMatch(/^[A-Z].*\.$/);
    expect(tokenEndpoint.properties.subjects.description).toMatch(/^[A-Z].*\.$/);
  });

  test('there are samples to look at', () => {
    expect(samples).toEqual(['api-gateway.yaml', 'ledger.yaml']);
  });

  test.each(samples)('accepts the sample %s, as the parser does', (name) => {
    expect(accepted(readFileSync(join(SAMPLES, name), 'utf8'))).toEqual({ schema: true, parser: true });
  });

  test('accepts a policy that uses every key', () => {
    expect(accepted(FULL_POLICY)).toEqual({ schema: true, parser: true });
    expect(accepted(FULL_POLICY + HOSTING_KEYS)).toEqual({ schema: true, parser: true });
    expect(accepted(UNPINNED_POLICY + TOKEN_SUBJECTS)).toEqual({ schema: true, parser: true });
  });

  const withoutGrants = FULL_POLICY.slice(0, FULL_POLICY.indexOf('grants:'));

  test.each([
    ['an unknown key', `${FULL_POLICY}evil: 1\n`],
    ['an unknown key in a grant', changedPolicy('    audience:', '    evil:')],
    ['an unknown key in a target', changedPolicy('      duration:', '      evil:')],
    ['no component', FULL_POLICY.replace(/^component.*\n/, '')],
    ['no ID', FULL_POLICY.replace(/^spiffeId.*\n/m, '')],
    ['no selectors', FULL_POLICY.replace(/^selectors.*\n/m, '')],
    ['no role', FULL_POLICY.replace(/^ *roleArn.*\n/m, '')],
    ['no region', FULL_POLICY.replace(/^ *region.*\n/m, '')],
    ['a malformed component', changedPolicy('component: api', 'component: a b')],
    ['a malformed ID', changedPolicy('spiffe://', 'https://')],
    ['a malformed selector', changedPolicy('[wasmcloud:component:api]', '[api]')],
    ['a malformed digest', changedPolicy('sha256:', 'sha1:')],
    ['a malformed role', changedPolicy('role/models', 'role/')],
    ['a malformed region', changedPolicy('us-east-1', 'US')],
    ['a malformed duration', changedPolicy('15m', '15')],
    ['a malformed audience', changedPolicy('[sts.amazonaws.com]', '["a\\nb"]')],
    ['an empty audience', changedPolicy('[sts.amazonaws.com]', '[""]')],
    ['a malformed name of a grant', changedPolicy('  models:', '  mod els:')],
    ['an audience twice', changedPolicy('[sts.amazonaws.com]', '[a, a]')],
    ['an empty list of audiences', changedPolicy('[sts.amazonaws.com]', '[]')],
    ['an empty list of selectors', changedPolicy('[wasmcloud:component:api]', '[]')],
    ['a text for a list', changedPolicy('[sts.amazonaws.com]', 'a')],
    ['a number for a text', changedPolicy('component: api', 'component: 7')],
    ['empty grants', `${withoutGrants}grants: {}\n`],
    ['a list of grants', `${withoutGrants}grants: []\n`],
    ['nothing that is granted', withoutGrants.replace(/^audiences.*\n/m, '')],
    ['subjects without grants', `${withoutGrants}tokenEndpoint: { subjects: [spiffe://a/b] }\n`],
    ['no subjects', subjects('  subjects: [', '  evil: [')],
    ['an empty list of subjects', subjects('[spiffe://example.org/team/api, spiffe://partner.example/batch]', '[]')],
    ['a subject twice', subjects('spiffe://partner.example/batch]', 'spiffe://example.org/team/api]')],
    ['a pattern of subjects', subjects('spiffe://partner.example/batch]', 'spiffe://partner.example/*]')],
    ['a subject that is no SPIFFE ID', subjects('spiffe://partner.example/batch]', 'https://partner.example]')],
    [
      'a subject that is a text',
      subjects('[spiffe://example.org/team/api, spiffe://partner.example/batch]', 'spiffe://a/b'),
    ],
    ['subjects with a digest', FULL_POLICY + TOKEN_SUBJECTS],
    ['a selector with a digest', changedPolicy('wasmcloud:component:api', `wasm:digest:${DIGEST}`)],
    ['a list', '- api'],
    ['a text', 'api'],
  ])('refuses %s, as the parser does', (_, text) => {
    expect(accepted(text)).toEqual({ schema: false, parser: false });
  });
});

describe('the characters of a name', () => {
  const letters = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'];
  const accepts = (
    name: { safeParse(text: string): { success: boolean } },
    frame: (char: string) => string,
  ): string[] =>
    Array.from({ length: 0x300 }, (_, code) => String.fromCharCode(code)).filter(
      (char) => name.safeParse(frame(char)).success,
    );

  test('of a component: letters and digits first, then . _ : / @ - as well', () => {
    expect(accepts(componentName, (char) => char)).toEqual(letters);
    expect(accepts(componentName, (char) => `${char}x`)).toEqual(letters);
    expect(accepts(componentName, (char) => `x${char}x`)).toEqual([...letters, ...'._:/@-'].toSorted());
    expect(accepts(componentName, (char) => `x${char}`)).toEqual([...letters, ...'._:/@-'].toSorted());
  });

  test('of a grant: letters and digits first, then . _ - as well', () => {
    expect(accepts(grantName, (char) => char)).toEqual(letters);
    expect(accepts(grantName, (char) => `x${char}x`)).toEqual([...letters, ...'._-'].toSorted());
    expect(accepts(grantName, (char) => `x${char}`)).toEqual([...letters, ...'._-'].toSorted());
  });
});
