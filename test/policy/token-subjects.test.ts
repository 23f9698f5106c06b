import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Decision, evaluateGrant, evaluateSubject } from '../../src/policy/evaluate.ts';
import type { NamedGrant } from '../../src/policy/policy-set.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { refusal } from '../support/errors.ts';
import { compile } from '../support/policies.ts';

const PARTNER = 'spiffe://partner.example/batch';
const OWN = 'spiffe://example.org/api';

function policy(component: string, subjects: readonly string[], ...grants: string[]): string {
  const aws = { roleArn: `arn:aws:iam::111122223333:role/${component}`, region: 'us-east-1' };
  return JSON.stringify({
    component,
    spiffeId: `spiffe://example.org/${component}`,
    selectors: [`a:${component}`],
    grants: Object.fromEntries(grants.map((name) => [name, { aws }])),
    ...(subjects.length === 0 ? {} : { tokenEndpoint: { subjects } }),
  });
}

function owner(decision: Decision<NamedGrant>): string | undefined {
  return decision.allowed ? decision.policy.component : undefined;
}

describe('whose grant a SPIFFE ID may have', () => {
  const set = compile(
    policy('api', [OWN, PARTNER], 'models', 'blobs'),
    policy('ledger', [PARTNER], 'books'),
    policy('closed', [], 'vault'),
  );
  const ask = (subject: string, name: string) => owner(evaluateSubject(set, SpiffeId.parse(subject), name));

  test('is that of the component that lists it', () => {
    expect(ask(OWN, 'models')).toBe('api');
    expect(ask(PARTNER, 'models')).toBe('api');
    expect(ask(PARTNER, 'books')).toBe('ledger');
  });

  test("is not its own component's, unless that lists it", () => {
    expect(owner(evaluateGrant(set, { component: 'ledger' }, 'books'))).toBe('ledger');
    expect(ask('spiffe://example.org/ledger', 'books')).toBeUndefined();
    expect(ask('spiffe://example.org/closed', 'vault')).toBeUndefined();
  });

  test.each([
    [OWN, 'books'],
    [OWN, 'Models'],
    [OWN, 'models '],
    [OWN, 'api'],
    [OWN, ''],
    [OWN, '__proto__'],
    [OWN, 'constructor'],
    [PARTNER, 'vault'],
    ['spiffe://example.org/Api', 'models'],
    ['spiffe://example.org/api/api', 'models'],
    ['spiffe://example.org/ap', 'models'],
    ['spiffe://example.org', 'models'],
    ['spiffe://partner.example/api', 'models'],
    ['spiffe://example.org/batch', 'models'],
    ['spiffe://partner.example/batch/x', 'models'],
    ['spiffe://partner.example.org/batch', 'models'],
  ])('is nobody for %s and %s', (subject, name) => {
    expect(ask(subject, name)).toBeUndefined();
  });

  test('is said in the same words for what is not there and for what is of others', () => {
    const reason = (name: string) => {
      const decision = evaluateSubject(set, SpiffeId.parse(OWN), name);
      return decision.allowed ? undefined : decision.reason.replace(name, 'X');
    };
    expect(reason('books')).toBe('it has no grant "X"');
    expect(reason('nothing')).toBe(reason('books'));
  });
});

describe('a set in which one subject would have two grants of one name', () => {
  test('is refused, with each place named', async () => {
    const compiling = (async () =>
      compile(policy('api', [OWN, PARTNER], 'models', 'blobs'), policy('ledger', [PARTNER], 'books', 'blobs')))();
    const error = await refusal(compiling);
    expect([error.code, error.message]).toEqual([
      'policy_invalid',
      'b.yaml:1: tokenEndpoint.subjects.0: has a grant "blobs" of the component api already',
    ]);
  });

  test('is accepted where the names, or the subjects, differ', () => {
    expect(() => compile(policy('api', [PARTNER], 'a'), policy('ledger', [PARTNER], 'b'))).not.toThrow();
    expect(() => compile(policy('api', [OWN], 'a'), policy('ledger', [PARTNER], 'a'))).not.toThrow();
    expect(() => compile(policy('api', [PARTNER], 'a'), policy('ledger', [], 'a'))).not.toThrow();
  });

  test('is never compiled: whoever may have a grant has exactly one of that name', () => {
    const component = fc.record({
      subjects: fc.uniqueArray(fc.constantFrom(OWN, PARTNER, 'spiffe://a.example/x'), { maxLength: 3 }),
      grants: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(component, { minLength: 1, maxLength: 3 }), (components) => {
        const pairs = components.flatMap(({ subjects, grants }) =>
          subjects.flatMap((subject) => grants.map((grant) => `${subject} ${grant}`)),
        );
        const texts = components.map(({ subjects, grants }, index) => policy(`c${index}`, subjects, ...grants));
        if (new Set(pairs).size < pairs.length) {
          expect(() => compile(...texts)).toThrow('already');
          return;
        }
        const set = compile(...texts);
        for (const [index, { subjects, grants }] of components.entries()) {
          for (const subject of [OWN, PARTNER, 'spiffe://a.example/x'] as const) {
            for (const grant of grants) {
              const decision = evaluateSubject(set, SpiffeId.parse(subject), grant);
              expect(owner(decision) === `c${index}`).toBe(subjects.includes(subject));
            }
          }
        }
      }),
    );
  });
});
