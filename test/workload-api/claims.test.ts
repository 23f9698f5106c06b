import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { JwtBundle, jwtBundleSet } from '../../src/spiffe/jwt-bundle.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createJwtProfile } from '../../src/workload-api/jwt-profile.ts';
import { toStruct } from '../../src/workload-api/struct.ts';
import { createFakeBroker } from '../fakes/broker.ts';
import { startFakeSpire } from '../fakes/trust-domain.ts';
import { API_POLICY } from '../support/world.ts';

test('JSON becomes a google.protobuf.Struct, each type its own', () => {
  expect(toStruct({ a: 1.5, b: 'x', c: true, d: null, e: [1, ['y']], f: { g: {} } })).toEqual({
    fields: {
      a: { numberValue: 1.5 },
      b: { stringValue: 'x' },
      c: { boolValue: true },
      d: { nullValue: 0 },
      e: { listValue: { values: [{ numberValue: 1 }, { listValue: { values: [{ stringValue: 'y' }] } }] } },
      f: { structValue: { fields: { g: { structValue: { fields: {} } } } } },
    },
  });
});

describe('the claims of a token', () => {
  test.each([
    ['of our own trust domain are all told', 'example.org', ['aud', 'exp', 'iat', 'iss', 'sub']],
    ['of another are told as far as SPIFFE says what they mean', 'elsewhere.example', ['aud', 'exp', 'sub']],
  ])('%s', async (_, ours, expected) => {
    const { authority } = await startFakeSpire();
    const issuedBy = TrustDomain.parse('example.org');
    const bundle = JwtBundle.parse(issuedBy, authority.jwkSet());
    const trustDomain = TrustDomain.parse(ours);
    const policy = API_POLICY.replace('example.org/team', `${ours}/team`);
    const policies = compilePolicies([{ file: 'api.yaml', text: policy }], trustDomain);
    const profile = createJwtProfile(
      {
        trustDomain,
        broker: createFakeBroker(),
        policies: () => policies,
        bundles: { ...jwtBundleSet([bundle]), all: () => [bundle] },
        clock: systemClock,
      },
      { component: 'api' },
    );
    const { token } = await authority.mint({
      spiffeId: SpiffeId.parse('spiffe://example.org/api'),
      audience: ['a'],
      ttl: 300,
    });
    const answer = await profile.validateJwtSvid({ audience: 'a', svid: token });
    expect(answer).toMatchObject({ spiffe_id: 'spiffe://example.org/api' });
    const { fields } = Object(answer).claims;
    expect(Object.keys(fields).toSorted()).toEqual(expected);
  });
});
