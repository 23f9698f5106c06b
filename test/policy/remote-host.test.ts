import { describe, expect, test } from 'vitest';
import { type Caller, evaluateAudience, evaluateComponent, evaluateGrant } from '../../src/policy/evaluate.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { compile, FULL_POLICY } from '../support/policies.ts';

const set = compile(
  FULL_POLICY,
  'component: ledger\nspiffeId: spiffe://example.org/ledger\nselectors: [a:b]\naudiences: [vault]\n',
);

function from(component: string, ...components: string[]): Caller {
  return { component, host: { spiffeId: SpiffeId.parse('spiffe://example.org/host/a'), components } };
}

describe('a host on another machine', () => {
  test('has what the policy gives to a component that it may name', () => {
    expect(evaluateAudience(set, from('ledger', 'api', 'ledger'), ['vault']).allowed).toBe(true);
    expect(evaluateAudience(set, from('ledger', 'ledger'), ['other']).allowed).toBe(false);
    expect(evaluateComponent(set, from('nobody', 'nobody')).allowed).toBe(false);
  });

  test.each(['ledger', 'nobody', 'toString', ''])(
    'is told the same of %j, whether or not there is a policy',
    (component) => {
      const caller = from(component, 'api');
      const refused = {
        allowed: false,
        policy: undefined,
        reason: 'the host spiffe://example.org/host/a may not name it',
      };
      expect(evaluateAudience(set, caller, ['vault'])).toEqual(refused);
      expect(evaluateGrant(set, caller, 'any')).toEqual(refused);
      expect(evaluateComponent(set, caller)).toEqual(refused);
    },
  );

  test('with an empty list may name nobody', () => {
    expect(evaluateComponent(set, from('ledger')).allowed).toBe(false);
  });
});
