import { decodeJwt } from 'jose';
import { describe, expect, test } from 'vitest';
import { createRawWorkload, openWorkloadApi } from '../support/raw-workload.ts';
import { startWorld } from '../support/world.ts';

const AUDIENCE = ['sts.amazonaws.com'];
const API_ID = 'spiffe://example.org/team/api';
const LEDGER_ID = 'spiffe://example.org/team/ledger';
const NO_IDENTITY = { code: 7, details: 'no identity issued' };
const NO_AUDIENCE = { code: 3, details: 'audience must be specified' };
const NO_HEADER = { code: 3, details: 'security header missing from request' };

async function open(component = 'api') {
  const world = await startWorld();
  const { api, endpoint } = await openWorkloadApi(world.config.brokerSocket, component);
  return { world, api, endpoint };
}

function svidsOf(answer: object): { spiffe_id: string; svid: string; hint: string }[] {
  if (!('svids' in answer) || !Array.isArray(answer.svids)) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer.svids;
}

describe('FetchJWTSVID', () => {
  test('gives the component its own JWT-SVID', async () => {
    const { world, api } = await open();
    const svids = svidsOf(await api.call('FetchJWTSVID', { audience: AUDIENCE }));
    expect(svids).toEqual([{ spiffe_id: API_ID, svid: expect.any(String), hint: '' }]);
    expect(decodeJwt(svids[0]?.svid ?? '')).toMatchObject({ sub: API_ID, aud: AUDIENCE });
    expect(world.log.audits().map(({ action, component, outcome }) => [action, component, outcome])).toEqual([
      ['workload_api.open', 'api', 'ok'],
      ['identity.mint', 'api', 'ok'],
      ['identity.request', 'api', 'ok'],
    ]);
  });

  test('gives each component its own, whatever it asks for', async () => {
    const { world, api } = await open();
    const { api: ledger } = await openWorkloadApi(world.config.brokerSocket, 'ledger');
    const ask = (spiffe_id: string) =>
      Promise.all([
        api.call('FetchJWTSVID', { audience: ['other.example.org'], spiffe_id }),
        ledger.call('FetchJWTSVID', { audience: ['vault.example.org'], spiffe_id }),
      ]);
    const [ofApi, ofLedger] = await ask('');
    expect([ofApi, ofLedger].map((answer) => svidsOf(answer).map(({ spiffe_id }) => spiffe_id))).toEqual([
      [API_ID],
      [LEDGER_ID],
    ]);
    expect(await ask(API_ID)).toEqual([ofApi, NO_IDENTITY]);
    expect(await ask(LEDGER_ID)).toEqual([NO_IDENTITY, ofLedger]);
    // What is granted to one is not to the other.
    expect(await ledger.call('FetchJWTSVID', { audience: AUDIENCE })).toEqual(NO_IDENTITY);
    expect(await api.call('FetchJWTSVID', { audience: ['vault.example.org'] })).toEqual(NO_IDENTITY);
  });

  test.each([
    ['no audience', {}, NO_AUDIENCE],
    ['an empty audience', { audience: [''] }, NO_AUDIENCE],
    ['an empty audience among others', { audience: [...AUDIENCE, ''] }, NO_AUDIENCE],
    ['an audience that is not granted', { audience: ['elsewhere.example.org'] }, NO_IDENTITY],
    ['an audience that is not granted among others', { audience: [...AUDIENCE, 'elsewhere'] }, NO_IDENTITY],
    ['an audience in another case', { audience: ['STS.amazonaws.com'] }, NO_IDENTITY],
    ['an ID that is none', { audience: AUDIENCE, spiffe_id: 'api' }, { code: 3, details: expect.any(String) }],
    ['an ID with a slash at its end', { audience: AUDIENCE, spiffe_id: `${API_ID}/` }, { code: 3 }],
    ['an ID below its own', { audience: AUDIENCE, spiffe_id: `${API_ID}/x` }, NO_IDENTITY],
    ['an ID in another case', { audience: AUDIENCE, spiffe_id: 'spiffe://example.org/team/API' }, NO_IDENTITY],
  ])('refuses %s', async (_, request, expected) => {
    const { api } = await open();
    const refused = await api.call('FetchJWTSVID', request);
    expect(refused).toMatchObject(expected);
    expect(JSON.stringify(refused)).not.toContain('eyJ');
    // Control: the same client is given what it may have.
    expect(svidsOf(await api.call('FetchJWTSVID', { audience: AUDIENCE, spiffe_id: API_ID }))).toHaveLength(1);
  });

  test('is Unavailable while the agent is, and says nothing of why', async () => {
    const { world, api } = await open();
    await world.trust.close();
    expect(await api.call('FetchJWTSVID', { audience: AUDIENCE })).toEqual({
      code: 14,
      details: 'the SPIRE agent cannot be reached or cannot get the JWT-SVID',
    });
  });

  test('has no identity where SPIRE has no entry', async () => {
    const world = await startWorld({ entries: [] });
    const { api } = await openWorkloadApi(world.config.brokerSocket, 'api');
    expect(await api.call('FetchJWTSVID', { audience: AUDIENCE })).toEqual(NO_IDENTITY);
  });
});

describe('the security header', () => {
  const requests = [
    ['FetchJWTSVID', { audience: AUDIENCE }],
    ['ValidateJWTSVID', { audience: 'a', svid: 'x' }],
  ] as const;

  test.each([
    ['is missing', []],
    ['is there twice', ['true', 'true']],
    ['is there twice with two values', ['true', 'false']],
    ['has another value', ['false']],
    ['has another case', ['True']],
    ['is empty', ['']],
    ['has more in it', ['true, true']],
  ])('that %s is refused in each call, before anything else', async (_, headers) => {
    const { world, api } = await open();
    for (const [method, request] of requests) expect(await api.call(method, request, headers)).toEqual(NO_HEADER);
    expect(await api.subscribe(headers).next()).toEqual(NO_HEADER);
    expect(world.log.audits().map(({ action }) => action)).toEqual(['workload_api.open']);
  });
});

describe('what is not served', () => {
  test.each(['FetchX509SVID', 'FetchX509Bundles', 'FetchWITSVID', 'FetchWITBundles', 'Nope'])(
    '%s is Unimplemented',
    async (method) => {
      const { api } = await open();
      expect(await api.callBytes(`/SpiffeWorkloadAPI/${method}`, Buffer.alloc(0))).toMatchObject({ code: 12 });
    },
  );

  test.each([
    ['is no message', Buffer.from([0xff, 0xff, 0xff]), 13],
    ['is too large', Buffer.alloc(65 * 1024), 8],
  ])('a request that %s is refused, and the next one answered', async (_, bytes, code) => {
    const { api } = await open();
    expect(await api.callBytes('/SpiffeWorkloadAPI/FetchJWTSVID', bytes)).toMatchObject({ code });
    expect(svidsOf(await api.call('FetchJWTSVID', { audience: AUDIENCE }))).toHaveLength(1);
  });

  test('the private socket is not a Workload API', async () => {
    const { world } = await open();
    const api = createRawWorkload(`unix://${world.config.brokerSocket}`);
    expect(await api.call('FetchJWTSVID', { audience: AUDIENCE })).toMatchObject({ code: 14 });
  });
});
