import { once } from 'node:events';
import type { Agent } from 'node:https';
import tls, { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TestCertificate } from '../../support/certificates.ts';
import { bodyOf, type RemoteHostsWorld, startRemoteHosts } from '../../support/remote-hosts.ts';
import { x509Bundle } from '../../support/x509-svids.ts';

/** A connection that stays, and what each request on it comes to. */
async function startConnection(changes: Parameters<RemoteHostsWorld['svid']>[2] = {}) {
  const world = await startRemoteHosts();
  const agent = world.connection(world.svid(undefined, {}, changes));
  return { world, ask: asker(world, agent), sockets: () => Object.values(agent.freeSockets).flat().length };
}

function asker(world: RemoteHostsWorld, agent: Agent): () => Promise<unknown> {
  return async () => {
    const { status, code } = bodyOf(await world.post(agent, '/v1/sessions', { component: 'api' }));
    return status === 200 ? 'ok' : code;
  };
}

describe('on one connection, each request is judged by what is in force then', () => {
  test('an authority that is taken away: the next request is refused, and the connection ends', async () => {
    const { world, ask, sockets } = await startConnection();
    expect([await ask(), sockets()]).toEqual(['ok', 1]);
    world.setBundles(x509Bundle('example.org', world.authorityOf()));
    expect(await ask()).toBe('certificate_untrusted');
    expect([sockets(), world.sessions.size]).toEqual([0, 1]);
  });

  test('an authority that comes back is good again, on a new connection', async () => {
    const { world, ask } = await startConnection();
    const good = x509Bundle('example.org', world.authority);
    world.setBundles(x509Bundle('example.org'));
    expect(await ask()).toBe('certificate_untrusted');
    world.setBundles(good);
    expect(await ask()).toBe('ok');
  });

  test('a new authority beside the old one changes nothing, and its own hosts are let in at once', async () => {
    const { world, ask, sockets } = await startConnection();
    expect(await ask()).toBe('ok');
    const next = world.authorityOf();
    const newcomer = world.connection(world.svid(next));
    expect(await asker(world, newcomer)()).toBe('certificate_untrusted');
    world.setBundles(x509Bundle('example.org', world.authority, next));
    expect([await ask(), await asker(world, newcomer)(), sockets()]).toEqual(['ok', 'ok', 1]);
    world.setBundles(x509Bundle('example.org', next));
    expect([await ask(), await asker(world, newcomer)()]).toEqual(['certificate_untrusted', 'ok']);
  });

  test('the trust domain is federated no longer', async () => {
    const { world, ask } = await startConnection();
    expect(await ask()).toBe('ok');
    world.setBundles(x509Bundle('partner.example', world.authority));
    expect(await ask()).toBe('certificate_trust_domain_unknown');
  });

  test('the certificate expires', async () => {
    const world = await startRemoteHosts();
    const end = Math.floor(world.clock.now() / 1000) * 1000 + 10_000;
    const ask = asker(world, world.connection(world.svid(undefined, {}, { notAfter: new Date(end) })));
    await world.clock.advance(end - world.clock.now());
    expect(await ask()).toBe('ok');
    await world.clock.advance(1);
    expect(await ask()).toBe('certificate_expired');
  });

  test('what vouches for the certificate expires before it does', async () => {
    const world = await startRemoteHosts();
    const end = new Date(Math.floor(world.clock.now() / 1000) * 1000 + 10_000);
    const short = world.authorityOf({ notAfter: end });
    world.setBundles(x509Bundle('example.org', short));
    const ask = asker(world, world.connection(world.svid(short)));
    expect(await ask()).toBe('ok');
    await world.clock.advance(10_001);
    expect(await ask()).toBe('certificate_untrusted');
  });
});

interface Handshake {
  readonly socket: TLSSocket;
  /** What a client may come back with; the last that was sent. */
  session(): Buffer | undefined;
}

/** A connection by hand, after one request on it. */
async function handshake(
  world: RemoteHostsWorld,
  client: TestCertificate | undefined,
  options: ConnectionOptions = {},
): Promise<Handshake> {
  let session: Buffer | undefined;
  const socket = connect({
    port: world.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: world.ca,
    ...client,
    ...options,
  });
  onTestFinished(() => void socket.destroy());
  socket.on('session', (sent) => {
    session = sent;
  });
  await once(socket, 'secureConnect');
  return { socket, session: () => session };
}

async function ask({ socket }: Handshake): Promise<string> {
  const { remotePort } = socket;
  socket.write(`GET /aws/models HTTP/1.1\r\nHost: 127.0.0.1:${remotePort}\r\n\r\n`);
  const [chunk] = await once(socket, 'data');
  return /"[Cc]ode":"(\w+)"/.exec(String(chunk))?.[1] ?? String(chunk);
}

/** What host a is told that has no session. */
const LET_IN = 'session_invalid';

describe('a handshake', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is whole each time: over %s no session is resumed, before and after a change of certificate',
    async (version) => {
      const world = await startRemoteHosts();
      const versions = { minVersion: version, maxVersion: version };
      for (const _ of ['before', 'after']) {
        const first = await handshake(world, world.svid(), versions);
        expect(await ask(first)).toBe(LET_IN);
        const session = first.session() ?? first.socket.getSession();
        const resumed = session === undefined ? {} : { session };
        // Somebody without a certificate, who comes back with what the host was given.
        const second = await handshake(world, undefined, { ...versions, ...resumed });
        expect([second.socket.isSessionReused(), await ask(second)]).toEqual([false, 'certificate_missing']);
        world.changeServerCertificate();
      }
    },
  );

  test('is not made again on the way (TLS 1.2)', async () => {
    const world = await startRemoteHosts();
    const connection = await handshake(world, world.svid(), { maxVersion: 'TLSv1.2' });
    expect(await ask(connection)).toBe(LET_IN);
    const outcome = await new Promise<unknown>((resolve) => {
      connection.socket.on('error', resolve);
      connection.socket.on('close', () => resolve('closed'));
      connection.socket.renegotiate({}, (error) => resolve(error ?? 'renegotiated'));
    });
    expect(outcome).not.toBe('renegotiated');
  });

  test('below TLS 1.2 there is none, whatever Node would do', async () => {
    const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls;
    onTestFinished(() => void Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS }));
    Object.assign(tls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT:@SECLEVEL=0' });
    const world = await startRemoteHosts();
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      const old = { minVersion: version, maxVersion: version };
      await expect(handshake(world, world.svid(), old)).rejects.toMatchObject({
        code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
      });
    }
  });

  test('asks for a certificate still after a change of that of the server', async () => {
    const world = await startRemoteHosts();
    world.changeServerCertificate();
    expect(await ask(await handshake(world, world.svid()))).toBe(LET_IN);
    expect(await ask(await handshake(world, undefined))).toBe('certificate_missing');
  });

  test('is not judged by what the system trusts', async () => {
    const world = await startRemoteHosts();
    // OpenSSL itself would vouch for this one.
    const root = world.authorityOf();
    const before = tls.getCACertificates('default');
    onTestFinished(() => tls.setDefaultCACertificates(before));
    tls.setDefaultCACertificates([...before, root.cert]);
    const client = world.svid(root);
    expect(await ask(await handshake(world, client))).toBe('certificate_untrusted');
  });
});
