import { describe, expect, test } from 'vitest';
import { createRawWorkload, openWorkloadApi } from '../support/raw-workload.ts';
import { startWorld } from '../support/world.ts';

const API_ID = 'spiffe://example.org/team/api';
const AUDIENCE = ['sts.amazonaws.com', 'other.example.org'] as const;

async function open() {
  const world = await startWorld();
  const { api } = await openWorkloadApi(world.config.brokerSocket, 'ledger');
  const { token } = await world.service.broker.identity({ component: 'api' }, [...AUDIENCE]);
  return { world, api, token: token.reveal() };
}

describe('ValidateJWTSVID', () => {
  test('says whose a good token is, with its claims', async () => {
    const { world, api, token } = await open();
    expect(await api.call('ValidateJWTSVID', { audience: AUDIENCE[1], svid: token })).toMatchObject({
      spiffe_id: API_ID,
      claims: {
        fields: {
          sub: { stringValue: API_ID },
          iss: { stringValue: world.config.issuer.url },
          aud: { listValue: { values: AUDIENCE.map((stringValue) => ({ stringValue })) } },
          exp: { numberValue: expect.any(Number) },
        },
      },
    });
  });

  test.each([
    ['no audience', { audience: '' }, 'audience must be specified'],
    ['no token', { svid: '' }, 'svid must be specified'],
    ['another audience', { audience: 'else' }, 'the token is not meant for else'],
    ['what is no token', { svid: 'x' }, 'the token is not a JWS in compact serialization with one signature'],
    ['a token that is too long', { svid: 'x'.repeat(20_001) }, 'the token is longer than 20000 characters'],
  ])('refuses %s as an InvalidArgument', async (_, change, details) => {
    const { api, token } = await open();
    const request = { audience: AUDIENCE[0], svid: token };
    expect(await api.call('ValidateJWTSVID', { ...request, ...change })).toEqual({ code: 3, details });
    expect(await api.call('ValidateJWTSVID', request)).toMatchObject({ spiffe_id: API_ID });
  });

  test('refuses a token that was changed, and does not repeat it', async () => {
    const { api, token } = await open();
    const at = token.lastIndexOf('.') + 5;
    const svid = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
    const refused = await api.call('ValidateJWTSVID', { audience: AUDIENCE[0], svid });
    expect(refused).toEqual({
      code: 3,
      details: "the token's signature does not verify with the keys of example.org",
    });
  });

  test('does not repeat a token that is sent as an audience', async () => {
    const { api, token } = await open();
    const refused = await api.call('ValidateJWTSVID', { audience: token, svid: token });
    expect(refused).toEqual({ code: 3, details: 'the token is not meant for [redacted]' });
  });

  test('refuses a token whose key was revoked', async () => {
    const { world, api, token } = await open();
    const stream = api.subscribe();
    await stream.next();
    const [key] = JSON.parse(world.trust.authority.jwkSet()).keys;
    await world.trust.authority.rotate();
    world.trust.authority.taint(key.kid);
    world.trust.authority.revoke(key.kid);
    const isGone = (message: object) => !JSON.stringify(message).includes(key.kid);
    for (let message = await stream.next(); !isGone(message); ) message = await stream.next();
    expect(await api.call('ValidateJWTSVID', { audience: AUDIENCE[0], svid: token })).toMatchObject({
      code: 3,
      details: 'no key of example.org fits the token\'s "kid" and "alg"',
    });
  });
});

test('a client of its own may validate with the endpoint as SPIFFE_ENDPOINT_SOCKET has it', async () => {
  const world = await startWorld();
  const { endpoint } = await openWorkloadApi(world.config.brokerSocket, 'api');
  expect(endpoint).toMatch(/^unix:\/\/\/./);
  expect(await createRawWorkload(endpoint).call('ValidateJWTSVID', { audience: 'a' })).toMatchObject({ code: 3 });
});
