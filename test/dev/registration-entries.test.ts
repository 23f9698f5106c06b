import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { entriesForPolicies, parseRegistrationEntries } from '../../src/dev/registration-entries.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { refusal } from '../support/errors.ts';

const EXAMPLE = TrustDomain.parse('example.org');

const parse = (text: string) => parseRegistrationEntries({ file: 'entries.yaml', text }, EXAMPLE);

/** One entry with these lines after its ID and selectors. */
const entryWith = (...lines: string[]): string =>
  ['entries:', '  - spiffeId: spiffe://example.org/api', '    selectors: [wasmcloud:component:api]', ...lines].join(
    '\n',
  );

describe('a file of registration entries', () => {
  test('is read with its defaults', () => {
    const [entry, ...others] = parse(entryWith());
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      selectors: [{ type: 'wasmcloud', value: 'component:api' }],
      jwtSvidTtl: 300,
      hint: '',
      admin: false,
      downstream: false,
    });
    expect(String(entry?.spiffeId)).toBe('spiffe://example.org/api');
  });

  test('is read in its order, the same ID twice included', () => {
    const entries = parse(`
entries:
  - { spiffeId: 'spiffe://example.org/b', selectors: [a:b, 'unix:uid:0'], jwtSvidTtl: 30s, hint: second }
  - { spiffeId: 'spiffe://example.org/a', selectors: [c:d], jwtSvidTtl: 1d }
  - { spiffeId: 'spiffe://example.org/b', selectors: [a:b] }
`);
    expect(entries.map(({ spiffeId, jwtSvidTtl, hint }) => [String(spiffeId), jwtSvidTtl, hint])).toEqual([
      ['spiffe://example.org/b', 30, 'second'],
      ['spiffe://example.org/a', 86_400, ''],
      ['spiffe://example.org/b', 300, ''],
    ]);
    expect(entries[0]?.selectors).toEqual([
      { type: 'a', value: 'b' },
      { type: 'unix', value: 'uid:0' },
    ]);
  });

  const refused: readonly (readonly [string, string, string])[] = [
    ['a list instead of a map', '- a', 'entries.yaml:1: expected object, received array'],
    ['no entries', 'entries: []', 'entries.yaml:1: entries: Too small: expected array to have >=1 items'],
    ['entries that are none', 'entries: 1', 'entries.yaml:1: entries: expected array, received number'],
    ['an unknown key', `${entryWith()}\nother: 1`, 'entries.yaml:4: other: unknown key'],
    ['an unknown key in an entry', entryWith('    parent: a'), 'entries.yaml:4: entries[0].parent: unknown key'],
    ['a key twice', entryWith('    hint: a', '    hint: b'), 'entries.yaml:5: hint: this key is written twice'],
    ['no ID', 'entries:\n  - selectors: [a:b]', 'entries.yaml:2: entries[0].spiffeId: is missing: expected string'],
    [
      'an ID that is none',
      'entries:\n  - spiffeId: https://example.org/api\n    selectors: [a:b]',
      'entries.yaml:2: entries[0].spiffeId: the SPIFFE ID must begin with "spiffe://"',
    ],
    [
      'an ID of another trust domain',
      'entries:\n  - spiffeId: spiffe://other.org/api\n    selectors: [a:b]',
      'entries.yaml:2: spiffeId: expected an ID in the trust domain example.org',
    ],
    [
      'no selectors',
      'entries:\n  - spiffeId: spiffe://example.org/api',
      'entries.yaml:2: entries[0].selectors: is missing: expected array',
    ],
    [
      'an empty list of selectors, which would match everybody',
      'entries:\n  - spiffeId: spiffe://example.org/api\n    selectors: []',
      'entries.yaml:3: entries[0].selectors: Too small: expected array to have >=1 items',
    ],
    [
      'a selector without a type',
      'entries:\n  - spiffeId: spiffe://example.org/api\n    selectors: [":b"]',
      'entries.yaml:3: entries[0].selectors[0]: expected a selector "type:value"',
    ],
    [
      'a selector without a value',
      'entries:\n  - spiffeId: spiffe://example.org/api\n    selectors: ["a:"]',
      'entries.yaml:3: entries[0].selectors[0]: expected a selector "type:value"',
    ],
    [
      'a life that is a number',
      entryWith('    jwtSvidTtl: 300'),
      'entries.yaml:4: entries[0].jwtSvidTtl: expected string, received number',
    ],
    [
      'a life of nothing',
      entryWith('    jwtSvidTtl: 0s'),
      'entries.yaml:4: entries[0].jwtSvidTtl: expected a duration of 1s to 1d, such as 5m',
    ],
    [
      'a life of more than a day',
      entryWith('    jwtSvidTtl: 25h'),
      'entries.yaml:4: entries[0].jwtSvidTtl: expected a duration of 1s to 1d, such as 5m',
    ],
    [
      'an administrator that is one in words',
      entryWith('    admin: "true"'),
      'entries.yaml:4: entries[0].admin: expected boolean, received string',
    ],
    [
      'a hint that is a number',
      entryWith('    hint: 1'),
      'entries.yaml:4: entries[0].hint: expected string, received number',
    ],
  ];

  test.each(refused)('%s is refused, with file, line and key', async (_, text, message) => {
    const error = await refusal(() => parse(text));
    expect(error.code).toBe('config_invalid');
    expect(error.message.split('\n')[0]).toBe(message);
  });

  test('names every problem, not only the first', async () => {
    const { message } = await refusal(() => parse(entryWith('    hint: 1', '    jwtSvidTtl: 1')));
    expect(message.split('\n')).toHaveLength(2);
  });

  test('any other text is refused in the same way', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', ':', ' ', '\n', '-', '[', '{', '"', '&', '*', '!', '#', '\t') }),
        (text) => {
          try {
            parse(text);
          } catch (error) {
            return (
              error instanceof SvidxError && error.code === 'config_invalid' && error.message.startsWith('entries.yaml')
            );
          }
          return false;
        },
      ),
    );
  });
});

test('the entries for a policy set are those that its components need', () => {
  const policies = compilePolicies(
    [
      {
        file: 'api.yaml',
        text: 'component: api\nspiffeId: spiffe://example.org/api\nselectors: [a:b, c:d]\naudiences: [x]\n',
      },
      { file: 'b.yaml', text: 'component: b\nspiffeId: spiffe://example.org/b\nselectors: [e:f]\naudiences: [x]\n' },
    ],
    EXAMPLE,
  );
  const entries = entriesForPolicies(policies).map(({ spiffeId, ...rest }) => ({
    spiffeId: String(spiffeId),
    ...rest,
  }));
  expect(entries).toEqual([
    {
      spiffeId: 'spiffe://example.org/api',
      selectors: [
        { type: 'a', value: 'b' },
        { type: 'c', value: 'd' },
      ],
      jwtSvidTtl: 300,
      hint: '',
    },
    { spiffeId: 'spiffe://example.org/b', selectors: [{ type: 'e', value: 'f' }], jwtSvidTtl: 300, hint: '' },
  ]);
});

test('the entry for a policy that has SPIRE told the digest names the bytes that it pins, and no others', () => {
  const digest = `sha256:${'ab'.repeat(32)}`;
  const policy = (name: string, more: string) => ({
    file: `${name}.yaml`,
    text: `component: ${name}\nspiffeId: spiffe://example.org/${name}\nselectors: [a:b]\naudiences: [x]\n${more}`,
  });
  const policies = compilePolicies(
    [
      policy('told', `digest: ${digest}\ndigestSelector: true\n`),
      policy('pinned', `digest: ${digest}\n`),
      policy('open', 'digestSelector: true\n'),
    ],
    EXAMPLE,
  );
  const own = { type: 'a', value: 'b' };
  expect(entriesForPolicies(policies).map(({ selectors }) => selectors)).toEqual([
    [own, { type: 'wasm', value: `digest:${digest}` }],
    [own],
    [own],
  ]);
});
