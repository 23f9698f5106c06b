import { describe, expect, test } from 'vitest';
import type { OAuthGrant } from '../../src/credentials/grants/oauth.ts';
import { createOAuthExchanger } from '../../src/exchange/oauth.ts';
import { isSafeEndpoint } from '../../src/exchange/oauth-servers.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { eventually } from '../support/eventually.ts';
import { subjectToken } from '../support/exchange.ts';
import {
  exchangeOAuth,
  type HttpScript,
  json,
  OIDC_PATH,
  oauthGrantOf,
  RFC8414_PATH,
  type ScriptedOAuth,
  startScriptedOAuth,
} from '../support/oauth.ts';

const MINUTE_MS = 60_000;
const NOTHING: HttpScript = { status: 404, body: '' };

function pathsOf(server: ScriptedOAuth): string[] {
  return server.others.all.map(({ url }) => url);
}

/** A server with these metadata of OpenID Connect Discovery. */
async function serverWith(metadata: HttpScript | ((issuer: string) => object)): Promise<ScriptedOAuth> {
  const server = await startScriptedOAuth();
  const answer = typeof metadata === 'function' ? json(200, metadata(server.issuer)) : metadata;
  server.onOther = ({ url }) => (url === OIDC_PATH ? answer : NOTHING);
  return server;
}

describe('where metadata are looked for', () => {
  test('at OpenID Connect Discovery first, by a GET without anything of the token', async () => {
    const server = await startScriptedOAuth();
    const { running, token } = await exchangeOAuth(server);
    await running;
    expect(pathsOf(server)).toEqual([OIDC_PATH]);
    expect(server.others.all[0]).toMatchObject({ method: 'GET', body: '' });
    expect(JSON.stringify(server.others.all[0]?.headers)).not.toContain(token.slice(0, 20));
  });

  test.each([
    ['', OIDC_PATH, RFC8414_PATH],
    ['/', OIDC_PATH, RFC8414_PATH],
    ['/realms/team', `/realms/team${OIDC_PATH}`, `${RFC8414_PATH}/realms/team`],
    ['/realms/team/', `/realms/team${OIDC_PATH}`, `${RFC8414_PATH}/realms/team`],
  ])('for an issuer with path %j', async (path, oidc, rfc8414) => {
    for (const found of [oidc, rfc8414]) {
      const server = await startScriptedOAuth();
      const issuer = `${server.issuer}${path}`;
      server.onOther = ({ url }) =>
        url === found ? json(200, { issuer, token_endpoint: `${server.issuer}/token` }) : NOTHING;
      const { running } = await exchangeOAuth(server, { grant: { issuer } });
      expect((await running).kind).toBe('oauth');
      expect(pathsOf(server)).toEqual(found === oidc ? [oidc] : [oidc, rfc8414]);
    }
  });

  test.each([400, 401, 403, 404, 405, 410])('at RFC 8414 next when the answer is %i', async (status) => {
    const server = await startScriptedOAuth();
    server.onOther = ({ url }) =>
      url === RFC8414_PATH
        ? json(200, { issuer: server.issuer, token_endpoint: `${server.issuer}/token` })
        : { status, body: 'x' };
    expect((await (await exchangeOAuth(server)).running).kind).toBe('oauth');
    expect(pathsOf(server)).toEqual([OIDC_PATH, RFC8414_PATH]);
  });

  test('at RFC 8414 next when the first document, as of an issuer of keys alone, has no token endpoint', async () => {
    const server = await startScriptedOAuth();
    const { issuer } = server;
    server.onOther = ({ url }) =>
      json(
        200,
        url === RFC8414_PATH ? { issuer, token_endpoint: `${issuer}/token` } : { issuer, jwks_uri: `${issuer}/keys` },
      );
    expect((await (await exchangeOAuth(server)).running).kind).toBe('oauth');
  });

  test('and where there are none, the grant is wrong', async () => {
    const server = await serverWith(NOTHING);
    const { running } = await exchangeOAuth(server);
    expect(await refusal(running)).toMatchObject({
      code: 'exchange_request_rejected',
      message: 'the authorization server publishes no metadata with a token endpoint: check issuer of the grant',
    });
    expect(pathsOf(server)).toEqual([OIDC_PATH, RFC8414_PATH]);
    expect(server.tokens.all).toEqual([]);
  });
});

describe('metadata that are not to be trusted: no token is sent', () => {
  const OF_ANOTHER = 'the metadata of the authorization server are of another issuer: check issuer, to the last slash';
  const NOT_SAFE = 'the metadata of the authorization server name a token endpoint that is not https';
  const NOT_METADATA = 'the authorization server answered with something that is not its protocol';
  const token_endpoint = 'https://login.example.org/token';

  test.each<[string, (issuer: string) => object, string]>([
    ['another issuer', () => ({ issuer: 'https://evil.example.org', token_endpoint }), OF_ANOTHER],
    ['the issuer with a slash', (issuer) => ({ issuer: `${issuer}/`, token_endpoint }), OF_ANOTHER],
    ['the issuer in upper case', (issuer) => ({ issuer: issuer.toUpperCase(), token_endpoint }), OF_ANOTHER],
    ['the issuer with a path', (issuer) => ({ issuer: `${issuer}/x`, token_endpoint }), OF_ANOTHER],
    ['the issuer with a space', (issuer) => ({ issuer: ` ${issuer}`, token_endpoint }), OF_ANOTHER],
    ['an issuer that is no URL', () => ({ issuer: 'x', token_endpoint }), NOT_METADATA],
    ['no issuer', () => ({ token_endpoint }), NOT_METADATA],
    ['an issuer that is no text', (issuer) => ({ issuer: [issuer], token_endpoint }), NOT_METADATA],
    ['plain HTTP elsewhere', (issuer) => ({ issuer, token_endpoint: 'http://login.example.org/token' }), NOT_SAFE],
    [
      'plain HTTP at what looks like loopback',
      (issuer) => ({ issuer, token_endpoint: 'http://127.0.0.1.evil.example/token' }),
      NOT_SAFE,
    ],
    ['another scheme', (issuer) => ({ issuer, token_endpoint: 'file:///etc/passwd' }), NOT_SAFE],
    [
      'a token endpoint with credentials',
      (issuer) => ({ issuer, token_endpoint: 'https://a:b@login.example.org/' }),
      NOT_SAFE,
    ],
    [
      'a token endpoint with a fragment',
      (issuer) => ({ issuer, token_endpoint: 'https://login.example.org/#x' }),
      NOT_SAFE,
    ],
    ['a relative token endpoint', (issuer) => ({ issuer, token_endpoint: '/token' }), NOT_SAFE],
    ['an empty token endpoint', (issuer) => ({ issuer, token_endpoint: '' }), NOT_SAFE],
    ['a token endpoint that is no text', (issuer) => ({ issuer, token_endpoint: 7 }), NOT_SAFE],
    ['a token endpoint that is null', (issuer) => ({ issuer, token_endpoint: null }), NOT_SAFE],
    [
      'a token endpoint with a line end',
      (issuer) => ({ issuer, token_endpoint: 'https://login.example.org/\n' }),
      NOT_SAFE,
    ],
  ])('%s', async (_, metadata, message) => {
    const server = await serverWith(metadata);
    const { running } = await exchangeOAuth(server);
    expect(await refusal(running)).toMatchObject({ code: 'exchange_response_invalid', message });
    expect(server.tokens.all).toEqual([]);
    expect(pathsOf(server)).toEqual([OIDC_PATH]);
  });

  test.each([
    ['https://login.example.org', 'https://login.example.org/token', true],
    ['https://login.example.org', 'https://tokens.example.com/?p=1', true],
    ['https://login.example.org', 'https://127.0.0.1/token', true],
    ['https://login.example.org', 'http://login.example.org/token', false],
    ['https://login.example.org', 'http://127.0.0.1/token', false],
    ['https://login.example.org', 'http://[::1]/token', false],
    ['http://127.0.0.1:1', 'http://localhost:2/token', true],
    ['http://127.0.0.1:1', 'http://127.0.0.2:2/token', true],
    ['http://127.0.0.1:1', 'https://login.example.org/token', true],
    ['http://127.0.0.1:1', 'http://10.0.0.1/token', false],
    ['http://127.0.0.1:1', 'http://localhost.example.org/token', false],
    ['http://127.0.0.1:1', 'http://0.0.0.0/token', false],
  ])('of issuer %s, token endpoint %s: is it safe? %s', (issuer, endpoint, safe) => {
    expect(isSafeEndpoint(endpoint, issuer)).toBe(safe);
  });

  test('but a token endpoint with a query is one (RFC 6749 section 3.2)', async () => {
    const server = await serverWith((issuer) => ({ issuer, token_endpoint: `${issuer}/token?p=team` }));
    await (await exchangeOAuth(server)).running;
    expect(server.tokens.all.map(({ url }) => url)).toEqual(['/token?p=team']);
  });

  const JSON_TYPE = { 'Content-Type': 'application/json' };

  test.each<[string, HttpScript, string]>([
    ['garbage', { status: 200, body: '\u0000\u0001', headers: JSON_TYPE }, 'HTTP 200'],
    ['nothing', { status: 200, body: '', headers: JSON_TYPE }, 'HTTP 200'],
    ['HTML', { status: 200, body: '<html></html>', headers: { 'Content-Type': 'text/html' } }, 'HTTP 200, text/html'],
    ['a list', { status: 200, body: '[]', headers: JSON_TYPE }, 'HTTP 200'],
    ['no content', { status: 204, body: '' }, 'HTTP 204'],
    ['a body without end', 'endless body', 'the answer is longer than 262144 bytes'],
  ])('%s', async (_, metadata, detail) => {
    const server = await serverWith(metadata);
    const { running } = await exchangeOAuth(server);
    const error = await refusal(running);
    expect(error).toMatchObject({ code: 'exchange_response_invalid', message: NOT_METADATA });
    expect(error.detail).toContain(detail);
    expect(server.tokens.all).toEqual([]);
    expect(pathsOf(server)).toEqual([OIDC_PATH]);
  });

  test('metadata that say that they are no JSON', async () => {
    const server = await startScriptedOAuth();
    const body = JSON.stringify({ issuer: server.issuer, token_endpoint: `${server.issuer}/token` });
    server.onOther = () => ({ status: 200, body, headers: { 'Content-Type': 'text/html' } });
    expect((await refusal((await exchangeOAuth(server)).running)).code).toBe('exchange_response_invalid');
    expect(server.tokens.all).toEqual([]);
  });

  test.each([301, 302, 303, 307, 308])(
    'a redirect (%i) is not followed, for metadata or for tokens',
    async (status) => {
      const other = await startScriptedOAuth();
      const server = await serverWith({ status, body: '', headers: { Location: `${other.issuer}${OIDC_PATH}` } });
      expect((await refusal((await exchangeOAuth(server)).running)).code).toBe('exchange_response_invalid');
      expect(server.tokens.all).toEqual([]);

      const second = await startScriptedOAuth();
      second.onToken = () => ({ status, body: '', headers: { Location: `${other.issuer}/token` } });
      expect((await refusal((await exchangeOAuth(second)).running)).code).toBe('exchange_response_invalid');
      expect(second.tokens.all).toHaveLength(1);
      expect([...other.others.all, ...other.tokens.all]).toEqual([]);
    },
  );
});

describe('metadata that do not come', () => {
  test.each<[string, HttpScript, string]>([
    ['a server that fails', { status: 503, body: '' }, 'exchange_unavailable'],
    ['a server that throttles', { status: 429, body: '' }, 'exchange_throttled'],
    ['a connection that is cut', 'reset', 'exchange_unavailable'],
    ['an answer that is cut', 'reset within the body', 'exchange_unavailable'],
  ])('%s is asked three times in all', async (_, answer, code) => {
    const server = await serverWith(answer);
    const { running, waits } = await exchangeOAuth(server);
    expect((await refusal(running)).code).toBe(code);
    expect(pathsOf(server)).toEqual([OIDC_PATH, OIDC_PATH, OIDC_PATH]);
    expect(waits).toEqual([150, 300]);
    expect(server.tokens.all).toEqual([]);
  });

  test('a server that is well again is asked for the token', async () => {
    const server = await startScriptedOAuth();
    const well = server.onOther;
    server.onOther = (request) => (server.others.all.length === 1 ? 'reset' : well(request));
    expect((await (await exchangeOAuth(server)).running).kind).toBe('oauth');
  });

  test('a server that hangs is given up after six seconds, three times', async () => {
    const server = await serverWith('hang');
    const clock = createFakeClock();
    const exchanger = createOAuthExchanger({ clock, random: () => 0.5 });
    const running = refusal(
      exchanger.exchange(await subjectToken(), oauthGrantOf(server.issuer), { signal: unaborted() }),
    );
    for (const wait of [150, 300, undefined]) {
      const { closed } = await server.others.next();
      await clock.advance(6_000);
      await closed;
      if (wait === undefined) continue;
      await clock.waitForTimers(1);
      await clock.advance(wait);
    }
    expect(await running).toMatchObject({
      code: 'exchange_unavailable',
      detail: 'TIMEOUT, no answer within 6 seconds',
    });
    expect(clock.timers).toBe(0);
  });

  test('whoever gives up is let go, and others are not', async () => {
    const server = await serverWith('hang');
    const clock = createFakeClock();
    const exchanger = createOAuthExchanger({ clock, random: () => 0.5 });
    const svid = await subjectToken();
    const abort = new AbortController();
    const impatient = exchanger.exchange(svid, oauthGrantOf(server.issuer), { signal: abort.signal });
    const patient = refusal(exchanger.exchange(svid, oauthGrantOf(server.issuer), { signal: unaborted() }));
    await server.others.next();
    const reason = new Error('given up');
    abort.abort(reason);
    await expect(impatient).rejects.toBe(reason);
    server.onOther = () => NOTHING;
    await clock.advance(6_000);
    await clock.waitForTimers(1);
    await clock.advance(150);
    expect((await patient).code).toBe('exchange_request_rejected');
  });
});

describe('metadata are kept', () => {
  async function start() {
    const server = await startScriptedOAuth();
    const clock = createFakeClock();
    const exchanger = createOAuthExchanger({ clock, random: () => 0 });
    const svid = await subjectToken();
    const exchange = (changes: Partial<OAuthGrant> = {}) =>
      exchanger.exchange(svid, oauthGrantOf(server.issuer, changes), { signal: unaborted() });
    return { server, clock, exchange };
  }

  test('1,000 simultaneous exchanges ask for them once', async () => {
    const { server, exchange } = await start();
    const all = await Promise.all(Array.from({ length: 1_000 }, (_, index) => exchange({ clientId: `c${index}` })));
    expect(all).toHaveLength(1_000);
    expect(server.others.all).toHaveLength(1);
    const clients = server.tokens.all.map(({ body }) => new URLSearchParams(body).get('client_id'));
    expect(new Set(clients).size).toBe(1_000);
  });

  test('1,000 simultaneous exchanges that fail ask three times', async () => {
    const { server, clock, exchange } = await start();
    server.onOther = () => ({ status: 503, body: '' });
    const all = Promise.all(Array.from({ length: 1_000 }, () => refusal(exchange())));
    await waitForTimersAfter(clock, 1_000, 100);
    await waitForTimersAfter(clock, 1_000, 200);
    expect(new Set((await all).map(({ code }) => code))).toEqual(new Set(['exchange_unavailable']));
    expect(server.others.all).toHaveLength(3);
  });

  test('fresh for ten minutes, renewed behind their use, and gone after an hour', async () => {
    const { server, clock, exchange } = await start();
    await exchange();
    await clock.advance(10 * MINUTE_MS - 1);
    await exchange();
    expect(server.others.all).toHaveLength(1);

    await clock.advance(1);
    server.onOther = () => ({ status: 503, body: '' });
    await exchange();
    await server.others.next();
    await server.others.next();
    expect(server.tokens.all).toHaveLength(3);

    await clock.advance(50 * MINUTE_MS);
    server.onOther = () => NOTHING;
    expect((await refusal(exchange())).code).toBe('exchange_request_rejected');
    expect(server.tokens.all).toHaveLength(3);
  });

  test('and looked at again when the token endpoint has gone: the next exchange but one finds where', async () => {
    const { server, exchange } = await start();
    await exchange();
    const { issuer } = server;
    server.onToken = ({ url }) =>
      url === '/token/new' ? json(200, JSON.parse(GOOD)) : { status: 404, body: '<html></html>' };
    server.onOther = () => json(200, { issuer, token_endpoint: `${issuer}/token/new` });
    expect((await refusal(exchange())).code).toBe('exchange_response_invalid');
    expect((await refusal(exchange())).code).toBe('exchange_response_invalid');
    await server.others.next();
    await server.others.next();
    expect((await eventually(() => exchange())).kind).toBe('oauth');
  });

  test('for each issuer apart', async () => {
    const one = await start();
    const other = await startScriptedOAuth();
    await one.exchange();
    await one.exchange({ issuer: other.issuer });
    expect([one.server, other].map(({ others }) => others.all.length)).toEqual([1, 1]);
    expect([one.server, other].map(({ tokens }) => tokens.all.length)).toEqual([1, 1]);
  });

  const GOOD = JSON.stringify({
    access_token: 'a',
    token_type: 'Bearer',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  });

  async function waitForTimersAfter(clock: FakeClock, count: number, ms: number): Promise<void> {
    await clock.waitForTimers(count);
    await clock.advance(ms);
  }
});
