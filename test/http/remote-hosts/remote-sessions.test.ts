import { describe, expect, test } from 'vitest';
import { bodyOf, HOST_A, type RemoteHostsWorld, startRemoteHosts, uri } from '../../support/remote-hosts.ts';

const B = 'spiffe://example.org/host/b';

/** What no refusal may have caused. */
function expectNothingDone(world: RemoteHostsWorld): void {
  expect([world.counts(), world.sessions.size]).toEqual([{ mints: 0, exchanges: 0 }, 0]);
}

describe("a session is its host's own", () => {
  test('another host cannot use, renew or end it, nor learn that it is there; the private socket can end it', async () => {
    const world = await startRemoteHosts();
    const [a, b] = [world.svid(), world.svid(undefined, uri(B))];
    const { session, secret } = bodyOf(await world.post(a, '/v1/sessions', { component: 'api' }));
    const use = (client: typeof a) =>
      world.ask(client, { path: '/aws/models', headers: { Authorization: String(secret) } });
    const path = `/v1/sessions/${session}`;
    const unknown = bodyOf(await world.post(b, `/v1/sessions/${'A'.repeat(22)}`, {}));
    expect(unknown).toMatchObject({ status: 401, code: 'session_invalid' });
    expect(bodyOf(await world.post(b, path, {}))).toEqual(unknown);
    expect(bodyOf(await world.ask(b, { method: 'DELETE', path }))).toEqual(unknown);
    expect((await use(b)).status).toBe(401);
    expect(world.counts()).toEqual({ mints: 0, exchanges: 0 });
    expect((await use(a)).status).toBe(200);
    await world.sessions.revoke(String(session));
    expect((await use(a)).status).toBe(401);
  });

  test('a program on this machine cannot use it, nor a host one of this machine', async () => {
    const world = await startRemoteHosts();
    const client = world.svid();
    const { secret } = bodyOf(await world.post(client, '/v1/sessions', { component: 'api' }));
    expect(() => world.sessions.authenticate(String(secret))).toThrow('unknown');
    expect(world.sessions.authenticate(String(secret), HOST_A).caller.component).toBe('api');
    const local = await world.open();
    const answer = await world.ask(client, { path: '/aws/models', headers: { Authorization: local.secret } });
    expect(bodyOf(answer)).toMatchObject({ status: 401, Code: 'session_invalid' });
  });

  test('one that others tried does not live longer for it', async () => {
    const world = await startRemoteHosts();
    const [a, b] = [world.connection(world.svid()), world.connection(world.svid(undefined, uri(B)))];
    const { secret } = bodyOf(await world.post(a, '/v1/sessions', { component: 'api', ttl: '60s' }));
    await world.clock.advance(59_000);
    await world.ask(b, { path: '/aws/models', headers: { Authorization: String(secret) } });
    await world.clock.advance(1_000);
    const answer = await world.ask(a, { path: '/aws/models', headers: { Authorization: String(secret) } });
    expect(bodyOf(answer)).toMatchObject({ status: 401, Code: 'session_invalid' });
  });

  test('one host has no more than its share, and the others have room', async () => {
    const world = await startRemoteHosts({ maxSessions: 20 });
    const [a, b] = [world.connection(world.svid()), world.connection(world.svid(undefined, uri(B)))];
    const open = (client: typeof a) => world.post(client, '/v1/sessions', { component: 'api' });
    expect([(await open(a)).status, (await open(a)).status]).toEqual([200, 200]);
    const refused = await open(a);
    expect(bodyOf(refused)).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(refused.headers['retry-after']).toBe('60');
    expect((await open(b)).status).toBe(200);
    await expect(world.open()).resolves.toHaveProperty('secret');
  });
});

describe('requests come straight from a host that has our address', () => {
  test.each([
    ['another host', { Host: 'elsewhere:8443' }, 421, 'host_unknown'],
    ['a name that leads to loopback', { Host: '127.0.0.1.elsewhere.example:8443' }, 421, 'host_unknown'],
    ['no loopback address', { Host: '128.0.0.1' }, 421, 'host_unknown'],
    ['loopback with a user', { Host: 'x@127.0.0.1:80' }, 421, 'host_unknown'],
    ['a proxy', { 'X-Forwarded-For': '192.0.2.1' }, 400, 'request_invalid'],
    ['a proxy that says so', { Via: '1.1 proxy' }, 400, 'request_invalid'],
    ['a web page', { Origin: 'https://elsewhere.example' }, 400, 'request_invalid'],
  ])('%s: refused', async (_, headers, status, code) => {
    const world = await startRemoteHosts();
    const body = JSON.stringify({ component: 'api' });
    const question = {
      method: 'POST',
      path: '/v1/sessions',
      headers: { 'Content-Type': 'application/json', ...headers },
      body,
    };
    expect(bodyOf(await world.ask(world.svid(), question))).toMatchObject({ status, code });
    expectNothingDone(world);
  });

  test.each(['127.0.0.1:9000', 'localhost', '[::1]:9000'])(
    'or from a forwarder on its own loopback, asked as %s',
    async (Host) => {
      const world = await startRemoteHosts();
      const client = world.svid();
      const { secret } = bodyOf(await world.post(client, '/v1/sessions', { component: 'api' }));
      const headers = { Host, Authorization: String(secret) };
      expect((await world.ask(client, { path: '/aws/models', headers })).status).toBe(200);
    },
  );
});
