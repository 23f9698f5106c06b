import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allows as allowsRequest, trustPolicyDocument, wildcardMatch } from '../../../src/dev/sts/trust-policy.ts';

const PROVIDER = 'arn:aws:iam::111122223333:oidc-provider/oidc.example.org';
const SUB = 'oidc.example.org:sub';
const AUD = 'oidc.example.org:aud';
const ACTION = 'sts:AssumeRoleWithWebIdentity';

/** A statement that lets the identity in, unless changed. */
const statement = (changes: object = {}): object => ({
  Effect: 'Allow',
  Principal: { Federated: PROVIDER },
  Action: ACTION,
  ...changes,
});

const parse = (...statements: readonly object[]) =>
  trustPolicyDocument.parse({ Version: '2012-10-17', Statement: statements });

/** Whether a policy of these statements lets in an identity with these values of the condition keys. */
function allows(
  statements: readonly object[],
  context: Readonly<Record<string, string>> = {},
  provider = PROVIDER,
): boolean {
  const values = { [SUB]: 'spiffe://example.org/api', [AUD]: 'sts.amazonaws.com', ...context };
  return allowsRequest(parse(...statements), {
    action: 'sts:AssumeRoleWithWebIdentity',
    principal: provider,
    context: new Map(Object.entries(values)),
  });
}

describe('who is let in', () => {
  test('an identity of the provider, for the action', () => {
    expect(allows([statement()])).toBe(true);
    expect(
      allows([statement({ Principal: { Federated: ['arn:other', PROVIDER] }, Action: ['sts:TagSession', ACTION] })]),
    ).toBe(true);
  });

  test.each([
    ['of another provider', { Principal: { Federated: `${PROVIDER}/path` } }],
    ['of a provider in another case', { Principal: { Federated: PROVIDER.toUpperCase() } }],
    ['of any provider, which a trust policy cannot say for web identity', { Principal: { Federated: '*' } }],
    ['for another action', { Action: 'sts:TagSession' }],
    ['for an action in another case', { Action: ACTION.toLowerCase() }],
    ['for any action by a wildcard', { Action: 'sts:*' }],
    ['denied', { Effect: 'Deny' }],
  ])('nobody %s', (_, changes) => {
    expect(allows([statement(changes)])).toBe(false);
  });

  test('nobody whose provider is another', () => {
    expect(allows([statement()], {}, 'arn:aws:iam::444455556666:oidc-provider/oidc.example.org')).toBe(false);
  });
});

describe('conditions', () => {
  const when = (Condition: object) => [statement({ Condition })];

  const holding: readonly (readonly [string, object])[] = [
    ['none', {}],
    ['the exact value', { StringEquals: { [SUB]: 'spiffe://example.org/api' } }],
    ['one of several values', { StringEquals: { [SUB]: ['spiffe://example.org/x', 'spiffe://example.org/api'] } }],
    ['two keys that both hold', { StringEquals: { [SUB]: 'spiffe://example.org/api', [AUD]: 'sts.amazonaws.com' } }],
    [
      'two operators that both hold',
      { StringEquals: { [AUD]: 'sts.amazonaws.com' }, StringLike: { [SUB]: 'spiffe://example.org/*' } },
    ],
    ['a pattern', { StringLike: { [SUB]: 'spiffe://*/a?i' } }],
    ['one of several patterns', { StringLike: { [SUB]: ['nothing', '*'] } }],
  ];

  test.each(holding)('%s', (_, condition) => {
    expect(allows(when(condition))).toBe(true);
  });

  const failing: readonly (readonly [string, object])[] = [
    ['another value', { StringEquals: { [SUB]: 'spiffe://example.org/other' } }],
    ['the value in another case', { StringEquals: { [SUB]: 'spiffe://example.org/API' } }],
    ['a prefix of the value', { StringEquals: { [SUB]: 'spiffe://example.org/ap' } }],
    ['an empty value', { StringEquals: { [SUB]: '' } }],
    ['a pattern where no pattern is meant', { StringEquals: { [SUB]: 'spiffe://example.org/*' } }],
    ['one key of two', { StringEquals: { [SUB]: 'spiffe://example.org/api', [AUD]: 'other' } }],
    ['one operator of two', { StringEquals: { [AUD]: 'other' }, StringLike: { [SUB]: '*' } }],
    ['a key that the token does not have', { StringEquals: { 'oidc.example.org:amr': 'x' } }],
    ['any value of a key that the token does not have', { StringLike: { 'oidc.example.org:amr': '*' } }],
    ['the key of another provider', { StringEquals: { 'other.example.org:sub': 'spiffe://example.org/api' } }],
    ['the key in another case', { StringEquals: { [SUB.toUpperCase()]: 'spiffe://example.org/api' } }],
    ['a pattern in another case', { StringLike: { [SUB]: 'SPIFFE://*' } }],
    ['a pattern that must match the whole', { StringLike: { [SUB]: 'example.org/*' } }],
    ['a name that every object has', { StringEquals: { constructor: 'x' } }],
  ];

  test.each(failing)('%s does not hold', (_, condition) => {
    expect(allows(when(condition))).toBe(false);
  });
});

describe('several statements', () => {
  const other = { StringEquals: { [SUB]: 'spiffe://example.org/other' } };
  const mine = { StringEquals: { [SUB]: 'spiffe://example.org/api' } };

  test('one Allow that matches is enough', () => {
    expect(allows([statement({ Condition: other }), statement({ Condition: mine })])).toBe(true);
    expect(allows([statement({ Condition: other }), statement({ Condition: other })])).toBe(false);
  });

  test('a Deny that matches wins, wherever it stands', () => {
    const deny = statement({ Effect: 'Deny', Condition: mine });
    expect(allows([deny, statement()])).toBe(false);
    expect(allows([statement(), deny])).toBe(false);
  });

  test('a Deny that does not match does not matter', () => {
    expect(allows([statement(), statement({ Effect: 'Deny', Condition: other })])).toBe(true);
    expect(allows([statement(), statement({ Effect: 'Deny', Condition: { StringEquals: { missing: 'x' } } })])).toBe(
      true,
    );
  });
});

describe('the document', () => {
  const document = (changes: object) => ({ Version: '2012-10-17', Statement: [statement()], ...changes });

  const refused: readonly (readonly [string, object])[] = [
    ['another version', document({ Version: '2008-10-17' })],
    ['no version', document({ Version: undefined })],
    ['no statement', document({ Statement: [] })],
    ['a statement that is not in a list', document({ Statement: statement() })],
    ['an unknown key', document({ Id: 'x' })],
    ['an unknown key in a statement', document({ Statement: [statement({ NotPrincipal: {} })] })],
    ['an unknown effect', document({ Statement: [statement({ Effect: 'allow' })] })],
    ['no principal', document({ Statement: [statement({ Principal: undefined })] })],
    [
      'the principal of another kind',
      document({ Statement: [statement({ Principal: { Service: 'ec2.amazonaws.com' } })] }),
    ],
    [
      'a principal of two kinds',
      document({ Statement: [statement({ Principal: { Federated: PROVIDER, AWS: '*' } })] }),
    ],
    ['everybody', document({ Statement: [statement({ Principal: '*' })] })],
    ['no action', document({ Statement: [statement({ Action: [] })] })],
    ['an action by what it is not', document({ Statement: [statement({ Action: undefined, NotAction: ACTION })] })],
    [
      'a condition without values',
      document({ Statement: [statement({ Condition: { StringEquals: { [SUB]: [] } } })] }),
    ],
    ['a condition on a number', document({ Statement: [statement({ Condition: { StringEquals: { [SUB]: 1 } } })] })],
  ];

  test.each(refused)('with %s is refused', (_, text) => {
    expect(trustPolicyDocument.safeParse(text).success).toBe(false);
  });

  // An operator that was passed over would let in whom it should keep out.
  test.each([
    'StringNotEquals',
    'StringEqualsIgnoreCase',
    'StringNotLike',
    'stringequals',
    'ForAnyValue:StringEquals',
    'StringEqualsIfExists',
    'Null',
    'Bool',
    'ArnLike',
    'constructor',
    '',
  ])('the operator %j is refused, not passed over', (operator) => {
    const condition = JSON.parse(`{${JSON.stringify(operator)}:{"${SUB}":"x"}}`);
    const text = document({ Statement: [statement({ Condition: condition })] });
    expect(trustPolicyDocument.safeParse(text).success).toBe(false);
  });
});

describe('wildcards', () => {
  const table: readonly (readonly [pattern: string, value: string, matches: boolean])[] = [
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything at all', true],
    ['**', '', true],
    ['?', '', false],
    ['?', 'a', true],
    ['?', 'ab', false],
    ['a', 'a', true],
    ['a', 'A', false],
    ['a*', 'a', true],
    ['*a', 'ba', true],
    ['*a', 'ab', false],
    ['a*c', 'abbbc', true],
    ['a*c', 'abbbcd', false],
    ['a?c', 'ac', false],
    ['*a*b*', 'xaybz', true],
    ['*a*b*', 'xbya', false],
    ['*ab', 'aab', true],
    ['*aab', 'aaaab', true],
    ['?*', '', false],
    ['*?', 'a', true],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
    ['a+', 'aa', false],
    ['(a|b)', 'a', false],
    ['\\*', '\\x', true],
    ['\\*', '*', false],
    ['^a$', 'a', false],
    ['a\nb', 'a\nb', true],
    ['a*b', 'a\n\nb', true],
  ];

  test.each(table)('%j and %j: %s', (pattern, value, matches) => {
    expect(wildcardMatch(pattern, value)).toBe(matches);
  });

  /** What IAM's sentence says, without any care for time. */
  function reference(pattern: string, value: string): boolean {
    const [first] = pattern;
    if (first === undefined) return value === '';
    const rest = pattern.slice(1);
    if (first === '*') return reference(rest, value) || (value !== '' && reference(pattern, value.slice(1)));
    return value !== '' && (first === '?' || first === value[0]) && reference(rest, value.slice(1));
  }

  test('agree with the plain definition', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    const value = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 10 });
    fc.assert(
      fc.property(pattern, value, (p, v) => wildcardMatch(p, v) === reference(p, v)),
      { numRuns: 5_000 },
    );
  });

  test('a text without wildcards matches itself and nothing else', () => {
    const plain = fc.string({ unit: 'binary', maxLength: 10 }).filter((text) => !/[*?]/.test(text));
    fc.assert(fc.property(plain, plain, (a, b) => wildcardMatch(a, a) && wildcardMatch(a, b) === (a === b)));
  });

  test('of each character code, only * and ? mean anything else than themselves', () => {
    for (let code = 0; code < 300; code += 1) {
      const char = String.fromCharCode(code);
      const other = char === 'x' ? 'y' : 'x';
      expect([code, wildcardMatch(char, other)]).toEqual([code, char === '*' || char === '?']);
    }
  });

  test('a pattern made to take for ever does not', () => {
    const steps = 20_000;
    expect(wildcardMatch('*a'.repeat(200), 'a'.repeat(steps))).toBe(true);
    expect(wildcardMatch(`${'*a'.repeat(200)}b`, 'a'.repeat(steps))).toBe(false);
    expect(wildcardMatch(`${'*'.repeat(2_000)}b`, 'a'.repeat(steps))).toBe(false);
    expect(wildcardMatch(`${'a*'.repeat(500)}?b`, 'a'.repeat(steps))).toBe(false);
    expect(wildcardMatch(`*${'?'.repeat(1_000)}b`, 'a'.repeat(steps))).toBe(false);
  });
});
