import { once } from 'node:events';
import tls, { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createFakeClock } from '../../fakes/clock.ts';
import { type CertificateOptions, createCertificate } from '../../support/certificates.ts';
import { fields, openEgressWorld } from '../../support/egress.ts';
import { startFarSide, startRawFarSide } from '../../support/far-side.ts';

const authority = createCertificate({ hosts: [] });
const hour = 3_600_000;

function certificateFor(hosts: readonly string[], options: Partial<CertificateOptions> = {}) {
  return createCertificate({ hosts, issuer: authority, ...options });
}

function worldWith(port: number, ca?: string) {
  const world = openEgressWorld({
    policy: `egress: [{ url: 'https://api.test:${port}', addresses: [127.0.0.1/32] }, 'https://127.0.0.1:${port}']`,
    names: { 'api.test': ['127.0.0.1'] },
    ...(ca === undefined ? {} : { ca }),
  });
  const request = { scheme: 'https', authority: `api.test:${port}`, headers: fields(['X-Key', 'secret']) } as const;
  return { world, request };
}

/** A server that ends TLS itself, and keeps what arrives. */
async function startTls(options: TlsOptions): Promise<{ port: number; received: string[]; sockets: TLSSocket[] }> {
  const received: string[] = [];
  const sockets: TLSSocket[] = [];
  const server: Server = createServer({ ...certificateFor(['api.test']), ...options }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk.toString());
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi');
    });
  }).listen(0, '127.0.0.1');
  server.on('tlsClientError', () => {});
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, received, sockets };
}

test('a name is sent (SNI), and the certificate is for it', async () => {
  const server = await startTls({ ALPNProtocols: ['h2', 'http/1.1'] });
  const { world, request } = worldWith(server.port, authority.cert);
  expect(await world.send(request)).toMatchObject({ text: 'hi' });
  const [socket] = server.sockets;
  expect([socket?.servername, socket?.alpnProtocol]).toEqual(['api.test', 'http/1.1']);
  expect(socket?.getProtocol()).toBe('TLSv1.3');
});

test('of an address the certificate must be for the address, and no name is sent', async () => {
  const server = await startTls(certificateFor(['127.0.0.1']));
  const { world, request } = worldWith(server.port, authority.cert);
  expect(await world.send({ ...request, authority: `127.0.0.1:${server.port}` })).toMatchObject({ text: 'hi' });
  expect(server.sockets[0]?.servername).toBe(false);
});

describe('a certificate is refused', () => {
  test.each([
    ['that is for another name', certificateFor(['other.test'])],
    ['that is for a name below', certificateFor(['v1.api.test'])],
    ['that is for the address, not the name', certificateFor(['127.0.0.1'])],
    ['that is for nothing', certificateFor([])],
    ['that has expired', certificateFor(['api.test'], { notAfter: new Date(Date.now() - hour / 2) })],
    ['that is not valid yet', certificateFor(['api.test'], { notBefore: new Date(Date.now() + hour) })],
    ['that signs itself', createCertificate({ hosts: ['api.test'] })],
    ['of another authority', certificateFor(['api.test'], { issuer: createCertificate({ hosts: [] }) })],
  ])('%s', async (_, certificate) => {
    const farSide = await startFarSide({ certificate });
    const { world, request } = worldWith(farSide.port, authority.cert);
    expect(await world.refusal(request)).toEqual({ tag: 'TLS-certificate-error' });
    expect(farSide.arrived).toEqual([]);
  });

  test('that is for the name, not the address', async () => {
    const farSide = await startFarSide({ certificate: certificateFor(['api.test', 'localhost']) });
    const { world, request } = worldWith(farSide.port, authority.cert);
    const refusal = await world.refusal({ ...request, authority: `127.0.0.1:${farSide.port}` });
    expect(refusal).toEqual({ tag: 'TLS-certificate-error' });
    expect(farSide.arrived).toEqual([]);
  });

  test('of an authority that is none of the public ones, where no other is named', async () => {
    const farSide = await startFarSide({ certificate: certificateFor(['api.test']) });
    const { world, request } = worldWith(farSide.port);
    expect(await world.refusal(request)).toEqual({ tag: 'TLS-certificate-error' });
    expect(farSide.arrived).toEqual([]);
  });

  test('whatever the environment says', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    const farSide = await startFarSide({ certificate: createCertificate({ hosts: ['api.test'] }) });
    const { world, request } = worldWith(farSide.port, authority.cert);
    expect(await world.refusal(request)).toEqual({ tag: 'TLS-certificate-error' });
    expect(farSide.arrived).toEqual([]);
  });
});

describe('TLS that does not come about', () => {
  test('a far side that speaks plain HTTP', async () => {
    const farSide = await startFarSide();
    const { world, request } = worldWith(farSide.port, authority.cert);
    expect(await world.refusal(request)).toEqual({ tag: 'TLS-protocol-error' });
    expect(farSide.arrived).toEqual([]);
  });

  test('a far side that speaks nothing newer than TLS 1.1, however Node was started', async () => {
    // As --tls-min-v1.0 and --tls-cipher-list do, in NODE_OPTIONS for one.
    const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls;
    Object.assign(tls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT@SECLEVEL=0' });
    onTestFinished(() => void Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS }));
    const server = await startTls({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    const { world, request } = worldWith(server.port, authority.cert);
    expect((await world.refusal(request)).tag).toMatch(/^TLS-/);
    expect(server.received).toEqual([]);
  });

  test('a far side that speaks HTTP/2 alone', async () => {
    const server = await startTls({ ALPNProtocols: ['h2'] });
    const { world, request } = worldWith(server.port, authority.cert);
    expect(await world.refusal(request)).toMatchObject({ tag: 'TLS-alert-received' });
    expect(server.received).toEqual([]);
  });

  test('a far side that wants a certificate', async () => {
    const server = await startTls({ requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' });
    const { world, request } = worldWith(server.port, authority.cert);
    const refusal = await world.refusal(request);
    expect(['TLS-alert-received', 'connection-terminated']).toContain(refusal.tag);
  });

  test('a far side that closes the connection', async () => {
    const farSide = await startRawFarSide((socket) => void socket.end(), '');
    const { world, request } = worldWith(farSide.port, authority.cert);
    expect(await world.refusal(request)).toEqual({ tag: 'connection-terminated' });
  });

  test.each([
    [undefined, 10_000],
    [300, 300],
  ])('a far side that is silent, for %s ms', async (connectTimeoutMs, ms) => {
    const clock = createFakeClock();
    const farSide = await startRawFarSide(() => {}, 'never');
    const world = openEgressWorld({ policy: `egress: ['https://127.0.0.1:${farSide.port}']`, clock });
    const refusal = world.refusal({ scheme: 'https', authority: `127.0.0.1:${farSide.port}`, connectTimeoutMs });
    await clock.waitForTimers(1);
    await farSide.asked;
    await clock.advance(ms - 1);
    expect(clock.timers).toBe(1);
    await clock.advance(1);
    expect(await refusal).toEqual({ tag: 'connection-timeout' });
    await farSide.closed;
    expect(clock.timers).toBe(0);
  });
});

test('what is asked for over TLS is not sent without it, and the other way round', async () => {
  const plain = await startFarSide();
  const secure = await startFarSide({ certificate: certificateFor(['api.test']) });
  const { world, request } = worldWith(secure.port, authority.cert);
  expect(await world.refusal({ ...request, scheme: 'http' })).toEqual({ tag: 'HTTP-request-denied' });
  expect(await world.refusal({ ...request, authority: `api.test:${plain.port}` })).toEqual({
    tag: 'HTTP-request-denied',
  });
  expect([plain.connections, secure.connections]).toEqual([0, 0]);
});
