import { describe, expect, test } from 'vitest';
import { createBrokerApp } from '../../src/http/broker-app.ts';
import { createSessionsApp } from '../../src/http/sessions-app.ts';
import { ask, type HttpAnswer } from '../support/http.ts';
import { serveOnPrivateSocket } from '../support/private-socket.ts';
import { API_CLIENT, PROVIDER, startSessionWorld, TENANT } from '../support/sdk-endpoints.ts';

const ENDPOINT = 'http://127.0.0.1:8081';

async function startApp(endpoint: string | null = ENDPOINT, options: { maxSessions?: number } = {}) {
  const world = startSessionWorld(options);
  const { broker, sessions, log } = world;
  const next = createBrokerApp({ broker, logger: log.logger });
  const { url } = await serveOnPrivateSocket(createSessionsApp({ sessions, logger: log.logger, endpoint }, next));
  const send = (method: string, path: string, body?: unknown): Promise<HttpAnswer> =>
    ask(url, {
      method,
      path,
      headers: { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const opened = async (body: object): Promise<{ session: string; secret: string }> =>
    JSON.parse((await send('POST', '/v1/sessions', body)).text);
  return { ...world, send, opened };
}

function bodyOf({ status, text }: HttpAnswer): unknown {
  return { status, ...JSON.parse(text) };
}

describe('POST /v1/sessions', () => {
  test('opens one and says where to ask for what', async () => {
    const { send, sessions } = await startApp();
    const answer = await send('POST', '/v1/sessions', { component: 'api' });
    const { secret } = JSON.parse(answer.text);
    expect(bodyOf(answer)).toEqual({
      status: 200,
      session: secret.slice(0, 22),
      secret: expect.stringMatching(/^[\w-]{22}\.[\w-]{43}$/),
      expiresAt: '2026-11-22T12:15:00.000Z',
      endpoint: ENDPOINT,
      grants: [
        { name: 'models', kind: 'aws', region: 'us-east-1' },
        { name: 'blobs', kind: 'azure', tenantId: TENANT, clientId: API_CLIENT },
        expect.objectContaining({ name: 'graph-one' }),
        expect.objectContaining({ name: 'graph-two' }),
        { name: 'files', kind: 'gcp', provider: PROVIDER, lifetimeSeconds: 3600 },
        expect.objectContaining({ name: 'held' }),
      ],
    });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(sessions.authenticate(secret).caller).toEqual({ component: 'api', digest: undefined });
  });

  test('opens one for one grant, for a time of its own, where there are no endpoints', async () => {
    const { send } = await startApp(null);
    const answer = await send('POST', '/v1/sessions', { component: 'ledger', grant: 'books', ttl: '1h' });
    expect(bodyOf(answer)).toMatchObject({
      status: 200,
      expiresAt: '2026-11-22T13:00:00.000Z',
      endpoint: null,
      grants: [{ name: 'books', kind: 'aws', region: 'us-east-1' }],
    });
  });

  test.each([
    ['no component', {}, 'request_invalid'],
    ['an empty component', { component: '' }, 'request_invalid'],
    ['a component in a list', { component: ['api'] }, 'request_invalid'],
    ['an unknown key', { component: 'api', secret: 'x' }, 'request_invalid'],
    ['a time that is too short', { component: 'api', ttl: '59s' }, 'request_invalid'],
    ['a time that is too long', { component: 'api', ttl: '61m' }, 'request_invalid'],
    ['a time that is a number', { component: 'api', ttl: 900 }, 'request_invalid'],
    ['a digest that is none', { component: 'api', digest: 'x' }, 'request_invalid'],
    ['a component without a policy', { component: 'nobody' }, 'policy_denied'],
    ["another component's grant", { component: 'api', grant: 'books' }, 'policy_denied'],
  ])('refuses %s', async (_, body, code) => {
    const { send, sessions } = await startApp();
    expect(JSON.parse((await send('POST', '/v1/sessions', body)).text)).toMatchObject({ code });
    expect(sessions.size).toBe(0);
  });
});

test('POST /v1/sessions says when to try again where as many as may be are open', async () => {
  const { send, opened } = await startApp(ENDPOINT, { maxSessions: 1 });
  await opened({ component: 'api' });
  const answer = await send('POST', '/v1/sessions', { component: 'api' });
  expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '60' } });
});

describe('/v1/sessions/<id>', () => {
  test('POST renews it', async () => {
    const { send, opened, clock } = await startApp();
    const { session } = await opened({ component: 'api' });
    await clock.advance(600_000);
    expect(bodyOf(await send('POST', `/v1/sessions/${session}`))).toEqual({
      status: 200,
      session,
      expiresAt: '2026-11-22T12:25:00.000Z',
    });
  });

  test('DELETE ends it, once', async () => {
    const { send, opened, sessions } = await startApp();
    const { session } = await opened({ component: 'api' });
    expect(bodyOf(await send('DELETE', `/v1/sessions/${session}`))).toEqual({ status: 200, session });
    expect(sessions.size).toBe(0);
    for (const method of ['DELETE', 'POST']) {
      expect(bodyOf(await send(method, `/v1/sessions/${session}`))).toMatchObject({
        status: 401,
        code: 'session_invalid',
      });
    }
  });

  test.each([
    ['the secret in place of the ID', (_id: string, secret: string) => `/v1/sessions/${secret}`],
    ['less of it', (id: string) => `/v1/sessions/${id.slice(0, -1)}`],
    ['a slash more', (id: string) => `/v1/sessions/${id}/`],
    ['something below', (id: string) => `/v1/sessions/${id}/grants`],
    ['the list with a slash', () => '/v1/sessions/'],
  ])('there is nothing at %s', async (_, path) => {
    const { send, opened, sessions } = await startApp();
    const { session, secret } = await opened({ component: 'api' });
    const answer = await send('DELETE', path(session, secret));
    expect(bodyOf(answer)).toMatchObject({ status: 404, code: 'not_found' });
    expect(answer.text).not.toContain(secret.slice(23));
    expect(sessions.size).toBe(1);
  });

  test.each([
    ['GET', '/v1/sessions', 'POST'],
    ['DELETE', '/v1/sessions', 'POST'],
    ['GET', `/v1/sessions/${'A'.repeat(22)}`, 'POST, DELETE'],
  ])('%s %s is refused', async (method, path, allow) => {
    const { send } = await startApp();
    expect(await send(method, path)).toMatchObject({ status: 405, headers: { allow } });
  });
});

test('everything else goes on to the broker', async () => {
  const { send } = await startApp();
  expect(bodyOf(await send('POST', '/v1/credentials', { component: 'api', grant: 'models' }))).toMatchObject({
    status: 200,
    kind: 'aws',
  });
});
