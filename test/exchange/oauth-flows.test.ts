import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { OAuthGrant } from '../../src/credentials/grants/oauth.ts';
import { createOAuthExchanger } from '../../src/exchange/oauth.ts';
import {
  type AuthorizationServer,
  CLIENT_CREDENTIALS_TTL,
  EXCHANGED_TTL,
  PUBLIC_CLIENT,
  RESOURCES,
  startAuthorizationServer,
} from '../fakes/authorization-server.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { type Federation, SUBJECT, startFederation } from '../support/federation.ts';
import { oauthGrantOf } from '../support/oauth.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';
import { startWorld } from '../support/world.ts';

interface Far {
  readonly authority: Federation;
  readonly server: AuthorizationServer;
}

async function startFar(kind: 'oidc' | 'rfc8414' = 'oidc'): Promise<Far> {
  const authority = await startFederation();
  const trusted = () => ({ issuer: authority.issuer, subjects: [SUBJECT] });
  return { authority, server: await startAuthorizationServer({ trusted, kind }) };
}

async function exchange(
  { authority, server }: Far,
  changes: Partial<OAuthGrant>,
  claims: Readonly<Record<string, unknown>> = {},
) {
  const subjectToken = await authority.mint(server.issuer, { claims });
  const exchanger = createOAuthExchanger({ clock: systemClock, random: () => 0.5 });
  const running = exchanger.exchange(subjectToken, oauthGrantOf(server.issuer, changes), { signal: unaborted() });
  return { running, token: subjectToken.token.reveal() };
}

const PUBLIC = { clientId: PUBLIC_CLIENT };
const ASSERTED = { flow: 'client-credentials' } as const;

describe('a JWT-SVID becomes an access token that the server knows, with exactly what was asked', () => {
  test('token exchange (RFC 8693)', async () => {
    const far = await startFar();
    const before = Date.now();
    const { running, token } = await exchange(far, {
      ...PUBLIC,
      scope: 'read',
      resource: [...RESOURCES],
      targetAudience: ['payments', 'ledger'],
    });
    const credentials = await running;
    expect(credentials).toMatchObject({ kind: 'oauth', tokenType: 'Bearer' });
    expect(credentials.expiresAt - before).toBeGreaterThanOrEqual(EXCHANGED_TTL * 1000);
    expect(credentials.expiresAt - before).toBeLessThan((EXCHANGED_TTL + 10) * 1000);
    expect(Object.isFrozen(credentials)).toBe(true);
    if (credentials.kind !== 'oauth') throw new Error('expected an access token');
    expect(await far.server.find(credentials.token.reveal())).toMatchObject({
      clientId: PUBLIC_CLIENT,
      accountId: SUBJECT,
      scope: 'read',
      extra: { resource: RESOURCES, audience: ['payments', 'ledger'] },
    });
    expect([...(far.server.forms.all[0] ?? [])].toSorted()).toEqual([
      ['audience', 'ledger'],
      ['audience', 'payments'],
      ['client_id', PUBLIC_CLIENT],
      ['grant_type', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      ['requested_token_type', 'urn:ietf:params:oauth:token-type:access_token'],
      ['resource', RESOURCES[1]],
      ['resource', RESOURCES[0]],
      ['scope', 'read'],
      ['subject_token', token],
      ['subject_token_type', 'urn:ietf:params:oauth:token-type:jwt'],
    ]);
  });

  test('jwt-bearer (RFC 7523 section 2.1)', async () => {
    const far = await startFar();
    const { running, token } = await exchange(far, { ...PUBLIC, flow: 'jwt-bearer', scope: 'read' });
    const credentials = await running;
    if (credentials.kind !== 'oauth') throw new Error('expected an access token');
    expect(await far.server.find(credentials.token.reveal())).toMatchObject({ accountId: SUBJECT, scope: 'read' });
    expect([...(far.server.forms.all[0] ?? [])].toSorted()).toEqual([
      ['assertion', token],
      ['client_id', PUBLIC_CLIENT],
      ['grant_type', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
      ['scope', 'read'],
    ]);
  });

  test.each([
    ['jwt-bearer', undefined],
    ['jwt-spiffe', undefined],
    ['jwt-bearer', SUBJECT],
    ['jwt-spiffe', SUBJECT],
  ] as const)('client credentials, with a client assertion of type %s and client ID %s', async (type, clientId) => {
    const far = await startFar();
    const before = Date.now();
    const { running, token } = await exchange(far, {
      ...ASSERTED,
      assertionType: type,
      clientId,
      resource: [RESOURCES[0]],
      scope: 'read',
    });
    const credentials = await running;
    if (credentials.kind !== 'oauth') throw new Error('expected an access token');
    expect(credentials.expiresAt - before).toBeGreaterThanOrEqual(CLIENT_CREDENTIALS_TTL * 1000);
    expect(await far.server.find(credentials.token.reveal())).toMatchObject({
      clientId: 'asserted',
      scope: 'read',
      aud: RESOURCES[0],
    });
    expect([...(far.server.forms.all[0] ?? [])].toSorted()).toEqual([
      ['client_assertion', token],
      ['client_assertion_type', `urn:ietf:params:oauth:client-assertion-type:${type}`],
      ...(clientId === undefined ? [] : [['client_id', clientId]]),
      ['grant_type', 'client_credentials'],
      ['resource', RESOURCES[0]],
      ['scope', 'read'],
    ]);
  });

  test('at a server that has metadata of RFC 8414 alone', async () => {
    const far = await startFar('rfc8414');
    expect((await (await exchange(far, PUBLIC)).running).kind).toBe('oauth');
    expect(Object.fromEntries(far.server.hits)).toEqual({
      '/.well-known/openid-configuration': 1,
      '/.well-known/oauth-authorization-server': 1,
      '/token': 1,
    });
  });
});

describe('what the server refuses has its own code, is asked once, and leaks nothing', () => {
  const OTHER_ID = { sub: 'spiffe://example.org/team/ledger' };
  const OTHER_AUDIENCE = { aud: ['https://other.example.org'] };
  const EXPIRED = { exp: Math.floor(Date.now() / 1000) - 10 };
  const JWT_BEARER = { ...PUBLIC, flow: 'jwt-bearer' } as const;

  test.each([
    ['another subject, token exchange', PUBLIC, OTHER_ID, 'exchange_token_rejected'],
    ['another subject, jwt-bearer', JWT_BEARER, OTHER_ID, 'exchange_token_rejected'],
    ['another subject, client credentials', ASSERTED, OTHER_ID, 'exchange_token_rejected'],
    ['another audience, token exchange', PUBLIC, OTHER_AUDIENCE, 'exchange_token_rejected'],
    ['another audience, jwt-bearer', JWT_BEARER, OTHER_AUDIENCE, 'exchange_token_rejected'],
    ['another audience, client credentials', ASSERTED, OTHER_AUDIENCE, 'exchange_token_rejected'],
    ['an expired token, token exchange', PUBLIC, EXPIRED, 'exchange_token_rejected'],
    ['an expired token, jwt-bearer', JWT_BEARER, EXPIRED, 'exchange_token_rejected'],
    ['an expired token, client credentials', ASSERTED, EXPIRED, 'exchange_token_rejected'],
    ['a client ID that is not the subject', { ...ASSERTED, clientId: 'x' }, {}, 'exchange_token_rejected'],
    ['an unknown client', { clientId: 'nobody' }, {}, 'exchange_denied'],
    ['a client that needs a secret', { clientId: 'asserted' }, {}, 'exchange_denied'],
    ['a client without the grant', { clientId: 'without-grants' }, {}, 'exchange_request_rejected'],
    ['no client ID where one is wanted', {}, {}, 'exchange_request_rejected'],
    ['an unknown resource', { ...PUBLIC, resource: ['https://x.example.org'] }, {}, 'exchange_request_rejected'],
    ['an unknown audience', { ...PUBLIC, targetAudience: ['x'] }, {}, 'exchange_request_rejected'],
    ['an unknown resource', { ...ASSERTED, resource: ['https://x.example.org'] }, {}, 'exchange_request_rejected'],
    ['a scope that is not allowed', { ...PUBLIC, scope: 'write' }, {}, 'exchange_request_rejected'],
    ['a scope that is not allowed', { ...JWT_BEARER, scope: 'write' }, {}, 'exchange_request_rejected'],
    ['a scope that is not allowed', { ...ASSERTED, scope: 'write' }, {}, 'exchange_request_rejected'],
  ] as const)('%s', async (_, changes, claims, code) => {
    const far = await startFar();
    const { running, token } = await exchange(far, changes, claims);
    const error = await refusal(running);
    expect(error).toMatchObject({ code, detail: expect.stringMatching(/^HTTP 40[01], \w+: /) });
    expect(far.server.forms.all).toHaveLength(1);
    expectNoSecrets(errorText(error), [token]);
  });

  test('a token with a second audience', async () => {
    const far = await startFar();
    const aud = [far.server.issuer, 'https://other.example.org'];
    expect((await refusal((await exchange(far, PUBLIC, { aud })).running)).code).toBe('exchange_token_rejected');
  });

  test('a token of an issuer that the server does not trust', async () => {
    const far = await startFar();
    const stranger = { ...far, authority: await startFederation() };
    for (const changes of [PUBLIC, { ...PUBLIC, flow: 'jwt-bearer' }, ASSERTED] as const) {
      expect((await refusal((await exchange(stranger, changes)).running)).code).toBe('exchange_token_rejected');
    }
  });
});

describe('the whole service', () => {
  test('gives a component the access token that its policy grants, once for all who ask', async () => {
    let issuer = '';
    const server = await startAuthorizationServer({ trusted: () => ({ issuer, subjects: [SUBJECT] }) });
    const policy = `
component: api
spiffeId: ${SUBJECT}
selectors: [wasmcloud:component:api]
grants:
  payments:
    oauth: { issuer: '${server.issuer}', clientId: ${PUBLIC_CLIENT}, targetAudience: [payments], scope: read }
  reports:
    oauth: { issuer: '${server.issuer}', flow: client-credentials, assertionType: jwt-spiffe }
`;
    const world = await startWorld({ policies: { 'api.yaml': policy } });
    issuer = world.config.issuer.url;
    const all = await Promise.all(
      ['payments', 'reports'].flatMap((grant) =>
        Array.from({ length: 100 }, () => world.service.broker.credentials({ component: 'api' }, grant)),
      ),
    );
    const tokens = new Set(all.map((credentials) => (credentials.kind === 'oauth' ? credentials.token.reveal() : '')));
    expect(tokens.size).toBe(2);
    expect(server.forms.all).toHaveLength(2);
    expect(server.hits.get('/.well-known/openid-configuration')).toBe(1);
    const known = await Promise.all([...tokens].map((token) => server.find(token)));
    expect(known.map((token) => token?.clientId)).toEqual([PUBLIC_CLIENT, 'asserted']);
    expectNoSecrets(world.log.lines, [...tokens]);
  });
});
