import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ComponentPolicy } from '../../src/policy/policy-set.ts';
import { compile } from '../support/policies.ts';

/** A policy with one grant, as its file has it. */
interface Written {
  readonly component: string;
  readonly path: string;
  readonly selectors: readonly string[];
  readonly name: string;
  readonly role: string;
  readonly region: string;
  readonly duration: string;
  readonly audience: string;
}

const BASE: Written = {
  component: 'api',
  path: 'team/api',
  selectors: ['wasmcloud:component:api', 'unix:uid:1000'],
  name: 'models',
  role: 'models',
  region: 'us-east-1',
  duration: '15m',
  audience: 'exchange.example.org',
};

/** JSON is YAML too. */
function textOf({ component, path, selectors, name, role, region, duration, audience }: Written): string {
  const aws = { roleArn: `arn:aws:iam::111122223333:role/${role}`, region, duration };
  return JSON.stringify({
    component,
    spiffeId: `spiffe://example.org/${path}`,
    selectors,
    grants: { [name]: { aws, audience } },
  });
}

function compiled(text: string): ComponentPolicy {
  const [policy] = compile(text).components;
  if (policy === undefined) throw new Error('no policy');
  return policy;
}

function fingerprints(written: Written): { readonly identity: string; readonly grant: string | undefined } {
  const { identityFingerprint, grants } = compiled(textOf(written));
  return { identity: identityFingerprint, grant: grants[0]?.fingerprint };
}

/** What the identity is made of, and nothing else. */
function identityOf({ path, selectors }: Written): string {
  return JSON.stringify([path, selectors]);
}

const DIFFERENT: readonly (readonly [string, Partial<Written>])[] = [
  ['the component', { component: 'Api' }],
  ['the path of the SPIFFE ID', { path: 'team/Api' }],
  ['a selector', { selectors: ['wasmcloud:component:Api', 'unix:uid:1000'] }],
  ['a selector more', { selectors: [...BASE.selectors, 'unix:gid:1000'] }],
  ['a selector less', { selectors: ['wasmcloud:component:api'] }],
  ['the type of a selector', { selectors: ['wasmcloud:component:api', 'k8s:uid:1000'] }],
  ['the name of the grant', { name: 'Models' }],
  ['the role', { role: 'Models' }],
  ['the path of the role', { role: 'path/models' }],
  ['the region', { region: 'us-east-2' }],
  ['the duration', { duration: '16m' }],
  ['the audience', { audience: 'sts.amazonaws.com' }],
];

describe('what differs', () => {
  test.each(DIFFERENT)('in %s has another fingerprint', (_, change) => {
    const [one, other] = [BASE, { ...BASE, ...change }];
    expect(fingerprints(other).grant).not.toBe(fingerprints(one).grant);
    const sameIdentity = identityOf(one) === identityOf(other);
    expect(fingerprints(other).identity === fingerprints(one).identity).toBe(sameIdentity);
  });

  test('in the account of the role has another fingerprint', () => {
    const elsewhere = compiled(textOf(BASE).replace('111122223333', '111122223334'));
    expect(elsewhere.grants[0]?.fingerprint).not.toBe(fingerprints(BASE).grant);
  });

  test('has no fingerprint in common, all in all', () => {
    const all = [BASE, ...DIFFERENT.map(([, change]) => ({ ...BASE, ...change }))].map(fingerprints);
    expect(new Set(all.map(({ grant }) => grant)).size).toBe(all.length);
    expect(all.map(({ identity }) => identity)).toEqual(expect.not.arrayContaining(all.map(({ grant }) => grant)));
  });
});

describe('what says the same has the same fingerprint', () => {
  const FIRST = fingerprints(BASE);

  test('each time that it is read', () => {
    expect(fingerprints(BASE)).toEqual(FIRST);
    expect(fingerprints(structuredClone(BASE))).toEqual(FIRST);
  });

  test('however it is written', () => {
    const { grants, selectors, component, spiffeId } = JSON.parse(textOf(BASE));
    const { aws, audience } = grants.models;
    const reordered = { audience, aws: { duration: '900s', region: aws.region, roleArn: aws.roleArn } };
    const text = `# a comment\n${JSON.stringify({ grants: { models: reordered }, selectors, spiffeId, component }, null, 2)}\n`;
    const policy = compiled(text);
    expect([policy.identityFingerprint, policy.grants[0]?.fingerprint]).toEqual([FIRST.identity, FIRST.grant]);
  });

  test('with an audience that is left out, or is written though it is what AWS takes', () => {
    const written = textOf({ ...BASE, audience: 'sts.amazonaws.com' });
    const document = JSON.parse(written);
    delete document.grants.models.audience;
    expect(compiled(JSON.stringify(document)).grants).toEqual(compiled(written).grants);
  });

  test('whatever else the component may have, and whatever its bytes', () => {
    const document = JSON.parse(textOf(BASE));
    const [policy] = compile(
      JSON.stringify({
        ...document,
        audiences: ['a.example.org'],
        digest: `sha256:${'0'.repeat(64)}`,
        grants: { another: document.grants.models, ...document.grants },
      }),
      textOf({ ...BASE, component: 'b' }),
    ).components;
    expect(policy?.identityFingerprint).toBe(FIRST.identity);
    expect(policy?.grants.map(({ fingerprint }) => fingerprint === FIRST.grant)).toEqual([false, true]);
  });

  test('of the identity alone for two components with one identity, whose grants stay apart', () => {
    const [one, other] = compile(textOf(BASE), textOf({ ...BASE, component: 'b' })).components;
    expect(other?.identityFingerprint).toBe(one?.identityFingerprint);
    expect(other?.grants[0]?.fingerprint).not.toBe(one?.grants[0]?.fingerprint);
  });
});

describe('no two policies share a fingerprint', () => {
  /** Short texts of few characters, so that two policies are often nearly the same. */
  const some = (characters: string, maxLength = 3): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...characters), maxLength }).map((rest) => `a${rest}`);
  // What parts could be joined with, or quoted by, stands in whatever part may hold it.
  const written: fc.Arbitrary<Written> = fc.record({
    component: some('ab:/@.-_'),
    path: some('ab_-'),
    selectors: fc.uniqueArray(
      fc.tuple(some('ab,;|"', 2), some('ab:,;|"\\[]{}', 4)).map((parts) => parts.join(':')),
      { minLength: 1, maxLength: 3 },
    ),
    name: some('ab.-_'),
    role: some('ab+=,.@-'),
    region: fc.constantFrom('us-east-1', 'us-east-11'),
    duration: fc.constantFrom('15m', '900s', '1h'),
    audience: some('ab:,;|"\\[]{}'),
  });

  /** Equal where the two say the same. */
  const meaning = (policy: Written): string =>
    JSON.stringify({ ...policy, duration: policy.duration.replace('15m', '900s') });

  function expectTellsApart(one: Written, other: Written): void {
    expect(fingerprints(one).grant === fingerprints(other).grant).toBe(meaning(one) === meaning(other));
    expect(fingerprints(one).identity === fingerprints(other).identity).toBe(identityOf(one) === identityOf(other));
  }

  test('whatever they hold', () => {
    fc.assert(fc.property(written, written, expectTellsApart), { numRuns: 300 });
  });

  test('that differ in some of their parts only', () => {
    const keys = fc.subarray([
      'component',
      'path',
      'selectors',
      'name',
      'role',
      'region',
      'duration',
      'audience',
    ] as const);
    fc.assert(
      fc.property(written, written, keys, (one, other, taken) =>
        expectTellsApart(one, { ...one, ...Object.fromEntries(taken.map((key) => [key, other[key]])) }),
      ),
      { numRuns: 300 },
    );
  });

  test('by moving what stands at the end of one part to the beginning of another', () => {
    const texts = fc.subarray(['component', 'path', 'name', 'role', 'audience'] as const, {
      minLength: 2,
      maxLength: 2,
    });
    fc.assert(
      fc.property(
        written,
        texts,
        some('ab', 6),
        fc.nat(),
        fc.nat(),
        (base, [left = 'path', right = 'role'], text, first, second) => {
          /** Both parts together are always the same text. */
          const split = (at: number): Written => ({
            ...base,
            [left]: `a${text.slice(0, at)}`,
            [right]: `${text.slice(at)}`,
          });
          expectTellsApart(split(first % text.length), split(second % text.length));
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each<[string, readonly string[], readonly string[]]>([
    ['two that read as one with a comma', ['a:b', 'c:d'], ['a:b,c:d']],
    ['two that read as one in JSON', ['a:b', 'c:d'], ['a:b"},{"type":"c","value":"d']],
    ['two that read as one with nothing between', ['a:b', 'c:d'], ['a:bc:d']],
    ['a value that begins with a colon', ['a:b:c'], ['a::b:c']],
    ['another order', ['a:b', 'c:d'], ['c:d', 'a:b']],
    ['another split of two values', ['a:bc', 'a:d'], ['a:b', 'a:cd']],
    ['a line end', ['a:b\nc:d'], ['a:b', 'c:d']],
    ['another normal form of one letter', ['a:\u00e9'], ['a:e\u0301']],
  ])('by selectors such as %s', (_, one, other) => {
    expectTellsApart({ ...BASE, selectors: one }, { ...BASE, selectors: other });
  });
});
