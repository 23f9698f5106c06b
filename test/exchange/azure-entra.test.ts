import { describe, expect, test } from 'vitest';
import type { AzureGrant } from '../../src/credentials/grants/azure.ts';
import { createAzureExchanger } from '../../src/exchange/azure.ts';
import { type EntraOptions, startEntra } from '../fakes/entra.ts';
import { impatientClock } from '../fakes/impatient-clock.ts';
import { blobsGrant, CLIENT_ID, TENANT_ID } from '../support/cloud-grants.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { type Federation, SUBJECT, startFederation } from '../support/federation.ts';
import { makeKey } from '../support/jwk.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';
import { startWorld } from '../support/world.ts';

const AUDIENCE = 'api://AzureADTokenExchange';
const STORAGE = 'https://storage.azure.com';

interface Scenario {
  readonly mint?: Parameters<Federation['mint']>[1];
  readonly audience?: string;
  readonly grant?: Partial<AzureGrant>;
  readonly entra?: (federation: Federation) => Partial<EntraOptions>;
  readonly alg?: 'RS256' | 'ES256';
}

async function exchange({ mint, audience = AUDIENCE, grant, entra: changes = () => ({}), alg = 'RS256' }: Scenario) {
  const federation = await startFederation(alg);
  const entra = await startEntra({
    tenantId: TENANT_ID,
    clientId: CLIENT_ID,
    credentials: [{ issuer: federation.issuer, subject: SUBJECT, audience: AUDIENCE }],
    resources: [STORAGE],
    ...changes(federation),
  });
  const clock = impatientClock();
  const svid = await federation.mint(audience, mint);
  const running = createAzureExchanger({ clock, random: () => 0.5 }).exchange(svid, blobsGrant(entra.url, grant), {
    signal: unaborted(),
  });
  return { running, entra, clock, token: svid.token.reveal() };
}

const now = Math.floor(Date.now() / 1000);
const stranger = await makeKey('RS256', 'published');
const unpublished = await makeKey('RS256', 'unpublished');

describe('against a server that checks assertions as Entra ID does', () => {
  test('a JWT-SVID that a federated credential names is exchanged for a token of the application', async () => {
    const { running, entra } = await exchange({});
    const credentials = await running;
    expect(entra.issued.get(credentials.token.reveal())).toEqual({ clientId: CLIENT_ID, resource: STORAGE });
    const life = credentials.expiresAt - Date.now();
    expect(life).toBeGreaterThan(3_590_000);
    expect(life).toBeLessThanOrEqual(3_599_000);
  });

  test.each<[string, Scenario, string, string]>([
    [
      'another SPIFFE ID',
      { mint: { claims: { sub: 'spiffe://example.org/team/ledger' } } },
      'exchange_denied',
      'AADSTS700213',
    ],
    [
      'a SPIFFE ID in other case',
      { mint: { claims: { sub: 'spiffe://example.org/team/API' } } },
      'exchange_denied',
      'AADSTS700213',
    ],
    ['another audience', { audience: 'sts.amazonaws.com' }, 'exchange_token_rejected', 'AADSTS700212'],
    [
      'another issuer',
      { mint: { claims: { iss: 'https://stranger.example.org' } } },
      'exchange_token_rejected',
      'AADSTS700211',
    ],
    [
      'an issuer with a slash at its end',
      {
        entra: ({ issuer }) => ({ credentials: [{ issuer: `${issuer}/`, subject: SUBJECT, audience: AUDIENCE }] }),
      },
      'exchange_token_rejected',
      'AADSTS700211',
    ],
    [
      'an expired token',
      { mint: { claims: { iat: now - 900, exp: now - 600 } } },
      'exchange_token_rejected',
      'AADSTS700024',
    ],
    [
      'a token of the future',
      { mint: { claims: { iat: now + 600, exp: now + 900 } } },
      'exchange_token_rejected',
      'AADSTS700024',
    ],
    ['the signature of a stranger', { mint: { key: stranger } }, 'exchange_token_rejected', 'AADSTS50027'],
    ['a key that is not published', { mint: { key: unpublished } }, 'exchange_token_rejected', 'AADSTS50027'],
    ['a signature that is not RS256', { alg: 'ES256' }, 'exchange_token_rejected', 'AADSTS50027'],
    ['another tenant', { grant: { tenantId: CLIENT_ID } }, 'exchange_request_rejected', 'AADSTS90002'],
    ['another application', { grant: { clientId: TENANT_ID } }, 'exchange_request_rejected', 'AADSTS700016'],
    [
      'a resource that is not there',
      { grant: { scope: 'https://vault.azure.net/.default' } },
      'exchange_request_rejected',
      'AADSTS500011',
    ],
  ])('%s is refused, and Entra is not asked again', async (_, scenario, code, number) => {
    const { running, entra, clock, token } = await exchange(scenario);
    const error = await refusal(running);
    expect(error.code).toBe(code);
    expect(error.detail).toContain(`${number}: `);
    expect(clock.waits).toEqual([]);
    expect(entra.issued.size).toBe(0);
    expectNoSecrets(errorText(error), [token]);
  });

  test.each<[string, Scenario, string, string]>([
    ['no federated credential yet', { entra: () => ({ credentials: [] }) }, 'exchange_denied', 'AADSTS70021'],
    [
      'an issuer that does not answer',
      {
        mint: { claims: { iss: 'http://127.0.0.1:9' } },
        entra: () => ({ credentials: [{ issuer: 'http://127.0.0.1:9', subject: SUBJECT, audience: AUDIENCE }] }),
      },
      'exchange_unavailable',
      'AADSTS50166',
    ],
  ])('%s is trouble that may pass', async (_, scenario, code, number) => {
    const { running, clock } = await exchange(scenario);
    const error = await refusal(running);
    expect(error.code).toBe(code);
    expect(error.detail).toContain(`${number}: `);
    expect(clock.waits).toEqual([150, 300]);
  });
});

describe('the whole service', () => {
  test('gives a component the token that its policy grants, once for many', async () => {
    const tenant = { tenantId: TENANT_ID, clientId: CLIENT_ID, resources: [STORAGE] };
    const credentials: EntraOptions['credentials'][number][] = [];
    const entra = await startEntra({ ...tenant, credentials });
    const policy = `
component: api
spiffeId: ${SUBJECT}
selectors: [wasmcloud:component:api]
grants:
  blobs:
    azure: { tenantId: ${TENANT_ID}, clientId: ${CLIENT_ID}, scope: ${STORAGE}/.default, authorityHost: '${entra.url}' }
`;
    const world = await startWorld({ policies: { 'api.yaml': policy }, keyType: 'rsa-2048' });
    credentials.push({ issuer: world.config.issuer.url, subject: SUBJECT, audience: AUDIENCE });
    const asked = Array.from({ length: 50 }, () => world.service.broker.credentials({ component: 'api' }, 'blobs'));
    const [first, ...others] = await Promise.all(asked);
    expect(first?.kind).toBe('azure');
    for (const other of others) expect(other).toBe(first);
    expect(entra.issued.size).toBe(1);
    expectNoSecrets(world.log.lines, [...entra.issued.keys()]);
  });
});
