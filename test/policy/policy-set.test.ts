import { describe, expect, test } from 'vitest';
import { refusal } from '../support/errors.ts';
import { changedPolicy, compile, FULL_POLICY, HOSTING_KEYS } from '../support/policies.ts';

const WITHOUT_GRANTS = FULL_POLICY.slice(0, FULL_POLICY.indexOf('grants:'));

/** What is said of a set of policies, a line for each problem. */
async function problems(...texts: string[]): Promise<string[]> {
  const error = await refusal(() => compile(...texts));
  expect(error.code).toBe('policy_invalid');
  return error.message.split('\n');
}

/** SHA-256 in base64url. */
const FINGERPRINT = /^[\w-]{43}$/;

describe('a good set of policies', () => {
  test('compiles to what is written', () => {
    const [policy] = compile(FULL_POLICY).components;
    expect({ ...policy, spiffeId: String(policy?.spiffeId) }).toEqual({
      component: 'api',
      spiffeId: 'spiffe://example.org/team/api',
      selectors: [{ type: 'wasmcloud', value: 'component:api' }],
      tokenSubjects: [],
      digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
      digestSelector: false,
      audiences: ['sts.amazonaws.com'],
      wasi: [],
      config: [],
      egress: [],
      identityFingerprint: expect.stringMatching(FINGERPRINT),
      grants: [
        {
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
          fingerprint: expect.stringMatching(FINGERPRINT),
          inFile: false,
          injection: undefined,
        },
      ],
    });
  });

  test('finds each component by its name and no other by any', () => {
    const set = compile(FULL_POLICY, changedPolicy('component: api', 'component: Api'));
    expect(set.components.map(({ component }) => component)).toEqual(['api', 'Api']);
    expect(set.get('api')).toBe(set.components[0]);
    expect(set.get('Api')).toBe(set.components[1]);
    for (const name of ['', 'API', 'ap', 'api ', '__proto__', 'constructor', 'toString', 'size', 'get']) {
      expect(set.get(name)).toBeUndefined();
    }
  });

  test('is frozen through and through', () => {
    const set = compile(FULL_POLICY + HOSTING_KEYS);
    const thawed: string[] = [];
    const visit = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(path);
      for (const [key, item] of Object.entries(value)) visit(item, `${path}.${key}`);
    };
    visit(set, 'set');
    expect(thawed).toEqual([]);
  });

  test('may be empty: then nobody may have anything', () => {
    expect(compile().components).toEqual([]);
  });

  test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf', '0', 'null', 'true', '1e3'])(
    'may have a component and a grant called %s, as text',
    (name) => {
      const set = compile(
        changedPolicy('component: api', `component: "${name}"`).replace('  models:', () => `  ${name}:`),
      );
      expect(set.get(name)?.grants.map((grant) => grant.name)).toEqual([name]);
    },
  );

  test('may share a SPIFFE ID: that is for SPIRE to decide', () => {
    expect(compile(FULL_POLICY, changedPolicy('component: api', 'component: b')).components).toHaveLength(2);
  });
});

describe('an unknown key is refused', () => {
  test.each([
    ['at the top', `${FULL_POLICY}evil: 1\n`, 'a.yaml:13: evil: unknown key'],
    ['in a grant', changedPolicy('    audience: ', '    evil: '), 'a.yaml:12: grants.models.evil: unknown key'],
    [
      'in its target',
      changedPolicy('      duration:', '      evil:'),
      'a.yaml:11: grants.models.aws.evil: unknown key',
    ],
    ['in another case', changedPolicy('digest:', 'Digest:'), 'a.yaml:5: Digest: unknown key'],
    [
      'that is a merge',
      changedPolicy('    audience: exchange.example.org', '    <<: {}'),
      'a.yaml:12: grants.models.<<: unknown key',
    ],
    ['__proto__ at the top', `${FULL_POLICY}__proto__: {}\n`, 'a.yaml:13: __proto__: unknown key'],
    ['__proto__ as a grant', changedPolicy('  models:', '  __proto__:'), 'a.yaml:7: __proto__: unknown key'],
    ['constructor at the top', `${FULL_POLICY}constructor: {}\n`, 'a.yaml:13: constructor: unknown key'],
  ])('%s', async (_, text, problem) => {
    expect(await problems(text)).toEqual([problem]);
  });
});

describe('a list is refused', () => {
  const audiences = (text: string): string => changedPolicy('[sts.amazonaws.com]', text);
  const selectors = (text: string): string => changedPolicy('[wasmcloud:component:api]', text);
  const many = (count: number): string => JSON.stringify(Array.from({ length: count }, (_, index) => `a:${index}`));

  test.each([
    ['when it has no audience', audiences('[]'), '4: audiences: expected at least one audience; leave the key out to'],
    ['when it has no selector', selectors('[]'), '3: selectors: expected at least one selector'],
    ['when it has no value', audiences(''), '4: audiences: expected array, received null'],
    ['when it is a text', audiences('sts.amazonaws.com'), '4: audiences: expected array, received string'],
    ['when it has an audience twice', audiences('[a, b, a]'), '4: audiences: has an entry twice'],
    ['when it has a selector twice', selectors('[a:b, a:b]'), '3: selectors: has an entry twice'],
    ['when it has 101 audiences', audiences(many(101)), '4: audiences: Too big'],
    ['when it has 101 selectors', selectors(many(101)), '3: selectors: Too big'],
    ['with an empty audience', audiences('[a, ""]'), '4: audiences[1]: expected an audience, not an empty text'],
    ['with a line end', audiences('["a\\nb"]'), '4: audiences[0]: expected an audience without control'],
    ['with a number', audiences('[1]'), '4: audiences[0]: expected string, received number'],
    ['with a map', audiences('[{a: b}]'), '4: audiences[0]: expected string, received object'],
    [
      'with a selector of one part',
      selectors('\n  - a:b\n  - ab'),
      '5: selectors[1]: expected a selector "type:value"',
    ],
    ['with a selector without a type', selectors('[":b"]'), '3: selectors[0]: expected a selector "type:value"'],
    ['with a selector without a value', selectors('["a:"]'), '3: selectors[0]: expected a selector "type:value"'],
  ])('%s', async (_, text, problem) => {
    const [first] = await problems(text);
    expect(first?.startsWith(`a.yaml:${problem}`), first).toBe(true);
  });

  test('but not when it has 100', () => {
    expect(compile(audiences(many(100))).components[0]?.audiences).toHaveLength(100);
    expect(compile(selectors(many(100))).components[0]?.selectors).toHaveLength(100);
  });
});

describe('a value is refused', () => {
  const line = (key: string, value: string): string =>
    FULL_POLICY.replace(new RegExp(`( ${key}|^${key}): .*`, 'm'), (_, found: string) => `${found}: ${value}`);

  test.each([
    ['a component without a name', line('component', '""'), '1: component: expected a component name'],
    ['a component with a space', line('component', '"a b"'), '1: component: expected a component name'],
    ['a component that begins with a dot', line('component', '..'), '1: component: expected a component name'],
    ['a component with a line end', line('component', '"a\\n"'), '1: component: expected a component name'],
    ['a component beyond ASCII', line('component', 'аpi'), '1: component: expected a component name'],
    ['a component called __proto__', line('component', '__proto__'), '1: component: expected a component name'],
    ['a component that is a number', line('component', '7'), '1: component: expected string, received number'],
    ['a component of 256 characters', line('component', 'a'.repeat(256)), '1: component: Too big'],
    ['an ID with another scheme', line('spiffeId', 'https://example.org/a'), '2: spiffeId: the SPIFFE ID must begin'],
    ['an ID in upper case', line('spiffeId', 'spiffe://Example.org/a'), '2: spiffeId: the trust domain name may hold'],
    ['an ID with an empty segment', line('spiffeId', 'spiffe://example.org/a//b'), '2: spiffeId: the SPIFFE ID has an'],
    ['an ID with a trailing slash', line('spiffeId', 'spiffe://example.org/a/'), '2: spiffeId: the SPIFFE ID has an'],
    ['an ID of a parent folder', line('spiffeId', 'spiffe://example.org/../a'), '2: spiffeId: the SPIFFE ID has a'],
    ['an ID of another trust domain', line('spiffeId', 'spiffe://example.com/a'), '2: spiffeId: expected an ID in the'],
    ['an ID of a domain within', line('spiffeId', 'spiffe://a.example.org/a'), '2: spiffeId: expected an ID in the'],
    ['a digest of another kind', line('digest', `sha1:${'0'.repeat(40)}`), '5: digest: expected "sha256:"'],
    ['a digest without its kind', line('digest', '0'.repeat(64)), '5: digest: expected'],
    ['a digest in upper case', line('digest', `sha256:${'A'.repeat(64)}`), '5: digest: expected "sha256:"'],
    ['a digest that is short', line('digest', `sha256:${'0'.repeat(63)}`), '5: digest: expected "sha256:"'],
    ['a digest that is long', line('digest', `sha256:${'0'.repeat(65)}`), '5: digest: expected "sha256:"'],
    ['a role that is none', line('roleArn', 'models'), '9: grants.models.aws.roleArn: expected the ARN of an IAM role'],
    ['a region that is none', line('region', 'moon'), '10: grants.models.aws.region: expected an AWS region'],
    ['a duration too short', line('duration', '14m'), '11: grants.models.aws.duration: expected a duration of 15m to'],
    ['a duration without a unit', line('duration', '900'), '11: grants.models.aws.duration: expected string, received'],
    ['an audience that is empty', line('audience', '""'), '12: grants.models.audience: expected an audience'],
    [
      'a grant without a target',
      `${WITHOUT_GRANTS}grants:\n  models:\n    audience: a\n`,
      '7: grants.models: expected exactly one of aws, azure, gcp, vault, oauth',
    ],
    ['grants that are none', `${WITHOUT_GRANTS}grants: {}\n`, '6: grants: expected at least one grant; leave the key'],
    ['grants without a value', `${WITHOUT_GRANTS}grants:\n`, '6: grants: expected grants by name'],
    ['grants that are a list', `${WITHOUT_GRANTS}grants: [models]\n`, '6: grants: expected grants by name'],
    ['no component', FULL_POLICY.replace(/^component.*\n/, ''), '1: component: is missing'],
    ['no ID', FULL_POLICY.replace(/^spiffeId.*\n/m, ''), '1: spiffeId: is missing'],
    ['no selectors', FULL_POLICY.replace(/^selectors.*\n/m, ''), '1: selectors: is missing'],
    ['a policy that grants nothing', WITHOUT_GRANTS.replace(/^audiences.*\n/m, ''), '1: grants nothing: expected'],
  ])('%s', async (_, text, problem) => {
    const found = await problems(text);
    expect(found, found.join('\n')).toHaveLength(1);
    expect(found[0]?.startsWith(`a.yaml:${problem}`), found[0]).toBe(true);
  });

  test.each(['mod els', '', '.models', 'mod/els', 'mödels', 'a'.repeat(65)])('a grant called %j', async (name) => {
    const [problem] = await problems(changedPolicy('  models:', `  ${JSON.stringify(name)}:`));
    expect(problem).toMatch(/^a\.yaml:7: grants.*: (expected a grant name of letters, digits and \. _ -|Too big)/);
  });

  test('more than 100 grants', async () => {
    const grant = FULL_POLICY.slice(FULL_POLICY.indexOf('  models:'));
    const grants = (count: number): string =>
      `${WITHOUT_GRANTS}grants:\n${Array.from({ length: count }, (_, index) => grant.replace('models', `g${index}`)).join('')}`;
    expect(compile(grants(100)).components[0]?.grants).toHaveLength(100);
    expect(await problems(grants(101))).toEqual(['a.yaml:6: grants: expected at most 100 grants']);
  });
});

describe('a file is refused', () => {
  test.each([
    ['when it is empty', '', '1: the file is empty'],
    ['when it is all comment', '# nothing\n', '1: the file is empty'],
    ['when it is a list', '- api\n', '1: expected object, received array'],
    ['when it is a text', 'api', '1: expected object, received string'],
    ['when it has a key twice', `${FULL_POLICY}component: b\n`, '13: component: this key is written twice'],
    ['when it has a grant twice', changedPolicy('grants:', 'grants:\n  models: {}'), '8: models: this key is written'],
    ['when it is not YAML', 'component: [api', '1: '],
    ['when it has a tag', changedPolicy('component: api', 'component: !!js api'), '1: '],
    [
      'when its aliases grow without bound',
      `a: &a [1,1,1,1,1,1]\nb: &b [${'*a,'.repeat(30)}]\nc: [${'*b,'.repeat(30)}]`,
      '1: ',
    ],
    ['when it nests without bound', `component: ${'['.repeat(100_000)}`, '1: '],
  ])('%s', async (_, text, problem) => {
    const [first] = await problems(text);
    expect(first?.startsWith(`a.yaml:${problem}`), first).toBe(true);
  });

  test('when it holds two documents', async () => {
    expect((await problems(`${FULL_POLICY}---\n${FULL_POLICY}`))[0]).toContain('expected one YAML document');
  });
});

describe('several files', () => {
  test('with the same component are refused, naming both places', async () => {
    const later = changedPolicy('component: api', '# a comment\ncomponent: api');
    expect(await problems(FULL_POLICY, later, later)).toEqual([
      'b.yaml:2: component: api is already defined at a.yaml:1',
      'c.yaml:2: component: api is already defined at a.yaml:1',
    ]);
  });

  test('have all that is wrong with them named at once, a line each', async () => {
    const broken = changedPolicy('us-east-1', 'moon').replace('15m', '1m').replace('[sts.amazonaws.com]', '[]');
    const elsewhere = changedPolicy('example.org/team', 'example.com/team');
    const lines = await problems(broken, changedPolicy('component: api', 'component: b'), elsewhere, elsewhere, '- x');
    expect(lines.map((line) => line.split(': ').slice(0, 2).join(': '))).toEqual([
      'a.yaml:4: audiences',
      'a.yaml:10: grants.models.aws.region',
      'a.yaml:11: grants.models.aws.duration',
      'c.yaml:2: spiffeId',
      'd.yaml:1: component',
      'd.yaml:2: spiffeId',
      'e.yaml:1: expected object, received array',
    ]);
  });
});
