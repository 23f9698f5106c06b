import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluateAudience, evaluateComponent, evaluateGrant, evaluateKind } from '../../src/policy/evaluate.ts';
import type { PolicySet } from '../../src/policy/policy-set.ts';
import type { Audience } from '../../src/spiffe/audience.ts';
import { refusalCode } from '../support/errors.ts';
import { changedPolicy, compile, FULL_POLICY } from '../support/policies.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const OTHER_DIGEST = `sha256:${'0'.repeat(64)}`;

/** `ledger` may hold a token for Vault; `api`, whose bytes are pinned, has one audience and one grant. */
const set = compile(
  FULL_POLICY,
  'component: ledger\nspiffeId: spiffe://example.org/ledger\nselectors: [a:b]\naudiences: [vault, second]\n',
);

/** The pinned bytes; those of `ledger` are not pinned. */
const API = { component: 'api', digest: DIGEST };

function mayHold(component: string, ...audience: Audience): boolean {
  return evaluateAudience(set, { component, digest: DIGEST }, audience).allowed;
}

function mayHave(component: string, grant: string): boolean {
  return evaluateGrant(set, { component, digest: DIGEST }, grant).allowed;
}

/** Names that are not `name`, though somebody might take them for it. */
function lookAlikes(name: string): string[] {
  return [
    '',
    name.toUpperCase(),
    ` ${name}`,
    `${name} `,
    `${name}\n`,
    `${name}\0`,
    `${name}\u200b`,
    `\ufeff${name}`,
    name.slice(0, -1),
    name.slice(1),
    `${name}x`,
    `${name}/`,
    `${name}.`,
    `${name},${name}`,
    name.replace('a', '\u0430'),
    name.replace('a', '\uff41'),
    name.replace('e', '\u0435'),
    name.replace('u', 'u\u0308'),
    name.replace('l', '1'),
    name.replace(/./g, '?'),
    '*',
    '.*',
    '__proto__',
    'constructor',
    'toString',
    'length',
    '0',
    'undefined',
    'null',
  ].filter((other) => other !== name);
}

describe('what is written is allowed', () => {
  test('an audience, with the policy that allows it', () => {
    expect(evaluateAudience(set, API, ['sts.amazonaws.com'])).toEqual({
      allowed: true,
      policy: set.get('api'),
      granted: ['sts.amazonaws.com'],
    });
  });

  test('several audiences, when each is granted, in any order', () => {
    expect(mayHold('ledger', 'second', 'vault')).toBe(true);
  });

  test('a grant, as it is in the policy', () => {
    const decision = evaluateGrant(set, API, 'models');
    expect(decision).toEqual({
      allowed: true,
      policy: set.get('api'),
      granted: {
        name: 'models',
        grant: {
          kind: 'aws',
          audience: 'exchange.example.org',
          target: 'arn:aws:iam::111122223333:role/models',
          roleArn: 'arn:aws:iam::111122223333:role/models',
          region: 'us-east-1',
          durationSeconds: 900,
          sessionPolicy: undefined,
          policyArns: [],
          assumeRole: undefined,
        },
        fingerprint: set.get('api')?.grants[0]?.fingerprint,
        inFile: false,
        injection: undefined,
      },
    });
  });
});

describe('what is not written is denied', () => {
  test.each(lookAlikes('ledger'))('a component %j is not "ledger"', (component) => {
    expect(evaluateAudience(set, { component }, ['vault'])).toEqual({
      allowed: false,
      policy: undefined,
      reason: 'no policy names it',
    });
  });

  test.each(lookAlikes('vault'))('an audience %j is not "vault"', (audience) => {
    expect(evaluateAudience(set, { component: 'ledger' }, [audience])).toEqual({
      allowed: false,
      policy: set.get('ledger'),
      reason: `the audience ${JSON.stringify(audience)} is not granted to it`,
    });
  });

  test.each(lookAlikes('models'))('a grant %j is not "models"', (name) => {
    expect(evaluateGrant(set, API, name)).toEqual({
      allowed: false,
      policy: set.get('api'),
      reason: `it has no grant ${JSON.stringify(name)}`,
    });
  });

  test('several audiences of which one is not granted, wherever it stands', () => {
    expect(mayHold('ledger', 'vault', 'evil')).toBe(false);
    expect(mayHold('ledger', 'evil', 'vault')).toBe(false);
  });

  test("another component's audience or grant", () => {
    expect(mayHold('api', 'vault')).toBe(false);
    expect(mayHold('ledger', 'sts.amazonaws.com')).toBe(false);
    expect(mayHave('ledger', 'models')).toBe(false);
  });

  test("the audience of a component's grant: to have a credential is not to hold a token", () => {
    expect(mayHave('api', 'models')).toBe(true);
    expect(mayHold('api', 'exchange.example.org')).toBe(false);
  });

  test('anything, where there is no policy', () => {
    expect(evaluateGrant(compile(), API, 'models').allowed).toBe(false);
  });
});

describe('a pinned digest', () => {
  test.each([
    ['the same bytes', DIGEST, true],
    ['bytes that the asking host has not computed', undefined, false],
    ['other bytes', OTHER_DIGEST, false],
  ])('of %s', (_, digest, allowed) => {
    const caller = { component: 'api', digest };
    expect(evaluateAudience(set, caller, ['sts.amazonaws.com']).allowed).toBe(allowed);
    expect(evaluateGrant(set, caller, 'models').allowed).toBe(allowed);
  });

  test.each([
    ['the same in upper case', DIGEST.toUpperCase()],
    ['one half in upper case', `sha256:${DIGEST.slice('sha256:'.length).toUpperCase()}`],
    ['nothing', ''],
    ['one without its kind', DIGEST.slice('sha256:'.length)],
    ['one that is short', DIGEST.slice(0, -1)],
    ['one with a line end', `${DIGEST}\n`],
    ['one with another selector in it', `${DIGEST} unix:uid:0`],
  ])('is compared with no digest that is %s: the request is wrong, whoever asks', async (_, digest) => {
    for (const component of ['api', 'ledger', 'nobody']) {
      expect(await refusalCode(() => evaluateGrant(set, { component, digest }, 'models'))).toBe('request_invalid');
      expect(await refusalCode(() => evaluateAudience(set, { component, digest }, ['vault']))).toBe('request_invalid');
      expect(await refusalCode(() => evaluateComponent(set, { component, digest }))).toBe('request_invalid');
    }
  });

  test('that nobody says is the reason given', () => {
    expect(evaluateGrant(set, { component: 'api' }, 'models')).toEqual({
      allowed: false,
      policy: set.get('api'),
      reason: 'its policy wants the digest of its bytes, and nobody has said it',
    });
  });

  test('that differs is the reason given, before any other', () => {
    expect(evaluateGrant(set, { component: 'api', digest: OTHER_DIGEST }, 'no-such-grant')).toEqual({
      allowed: false,
      policy: set.get('api'),
      reason: `its bytes are not the ones its policy allows: they are ${OTHER_DIGEST}`,
    });
  });

  test('is not asked for where the policy has none', () => {
    expect(evaluateAudience(set, { component: 'ledger', digest: OTHER_DIGEST }, ['vault']).allowed).toBe(true);
  });
});

describe('whatever the policies are', () => {
  // Few names, so that many questions hit something.
  const name = fc.constantFrom('a', 'A', 'b', 'ab', 'constructor', 'toString', '0');
  const names = fc.uniqueArray(name, { minLength: 1, maxLength: 4 });
  const written = fc.uniqueArray(
    fc.record({ component: name, audiences: fc.option(names), grants: names, digest: fc.option(fc.constant(DIGEST)) }),
    { selector: ({ component }) => component, maxLength: 4 },
  );
  type Written = typeof written extends fc.Arbitrary<infer T> ? T : never;

  function compileWritten(policies: Written): PolicySet {
    const grant = '{ aws: { roleArn: arn:aws:iam::111122223333:role/r, region: us-east-1 } }';
    return compile(
      ...policies.map(({ component, audiences, grants, digest }) =>
        [
          `component: "${component}"`,
          `spiffeId: spiffe://example.org/x`,
          `selectors: [a:b]`,
          `grants: { ${grants.map((key) => `"${key}": ${grant}`).join(', ')} }`,
          ...(audiences === null ? [] : [`audiences: ${JSON.stringify(audiences)}`]),
          ...(digest === null ? [] : [`digest: ${digest}`]),
        ].join('\n'),
      ),
    );
  }

  test('a decision is yes exactly if it is written', () => {
    const digest = fc.constantFrom(undefined, DIGEST, OTHER_DIGEST);
    fc.assert(
      fc.property(written, name, name, name, digest, (policies, component, first, second, callerDigest) => {
        const compiled = compileWritten(policies);
        const policy = policies.find((candidate) => candidate.component === component);
        const bytesFit = callerDigest === (policy?.digest ?? callerDigest);
        const caller = { component, digest: callerDigest };

        const held = evaluateAudience(compiled, caller, [first, second]).allowed;
        const audiences = policy?.audiences ?? [];
        expect(held).toBe(bytesFit && audiences.includes(first) && audiences.includes(second));

        const had = evaluateGrant(compiled, caller, first).allowed;
        expect(had).toBe(bytesFit && (policy?.grants ?? []).includes(first));
      }),
      { numRuns: 300 },
    );
  });
});

test('a policy that was changed decides differently only in its own set', () => {
  const changed = compile(changedPolicy('[sts.amazonaws.com]', '[other]'));
  expect(evaluateAudience(changed, API, ['sts.amazonaws.com']).allowed).toBe(false);
  expect(mayHold('api', 'sts.amazonaws.com')).toBe(true);
});

describe('a grant that is named in the way of an SDK', () => {
  const several = compile(
    FULL_POLICY,
    `component: two
spiffeId: spiffe://example.org/two
selectors: [a:b]
grants:
  first: { azure: { tenantId: example.org, clientId: 11111111-1111-4111-8111-111111111111, scope: 'https://a/.default' } }
  second: { azure: { tenantId: example.org, clientId: 11111111-1111-4111-8111-111111111111, scope: 'https://b/.default' } }
  third: { aws: { roleArn: 'arn:aws:iam::111122223333:role/r', region: us-east-1 } }
`,
  );
  const ask = (component: string, kind: 'aws' | 'azure' | 'gcp', fits: (name: string) => boolean) =>
    evaluateKind(several, { component, digest: DIGEST }, kind, ({ name }) => fits(name), 'wanted');

  test('is the one that fits, of its kind', () => {
    expect(ask('two', 'azure', (name) => name === 'second')).toMatchObject({
      allowed: true,
      granted: { name: 'second' },
    });
    expect(ask('two', 'aws', () => true)).toMatchObject({ allowed: true, granted: { name: 'third' } });
  });

  test.each([
    ['none of the kind', ask('two', 'gcp', () => true), 'it has no gcp grant wanted'],
    ['one that fits, of another kind', ask('two', 'azure', (name) => name === 'third'), 'it has no azure grant wanted'],
    ['two that fit', ask('two', 'azure', () => true), 'it has several azure grants wanted'],
    ["another component's", ask('api', 'azure', () => true), 'it has no azure grant wanted'],
    ['a component without a policy', ask('nobody', 'aws', () => true), 'no policy names it'],
  ])('is denied with %s', (_, decision, reason) => {
    expect(decision).toMatchObject({ allowed: false, reason });
  });

  test('and a component may have something, or not', () => {
    expect(evaluateComponent(several, { component: 'two' })).toMatchObject({ allowed: true });
    expect(evaluateComponent(several, { component: 'three' })).toMatchObject({ allowed: false });
    expect(evaluateComponent(set, { component: 'api', digest: OTHER_DIGEST })).toMatchObject({ allowed: false });
  });
});
