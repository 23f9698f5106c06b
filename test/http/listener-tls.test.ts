import { once } from 'node:events';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { text } from 'node:stream/consumers';
import tls, { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { TlsPair } from '../../src/config/tls-files.ts';
import { type Listener, listenOnTcp } from '../../src/http/listener.ts';
import { createCertificate, type TestCertificate } from '../support/certificates.ts';
import { askRaw } from '../support/http.ts';

const authority = createCertificate({ hosts: [] });
const other = createCertificate({ hosts: [] });
const make = (hosts: readonly string[] = ['localhost', '127.0.0.1']): TestCertificate =>
  createCertificate({ hosts, issuer: authority });

interface TlsListener {
  readonly listener: Listener;
  readonly port: number;
  change(pair: TestCertificate): void;
}

async function start(pair: TestCertificate = make()): Promise<TlsListener> {
  const listeners = new Set<(pair: TlsPair) => void>();
  const full = (plain: TestCertificate): TlsPair => ({ ...plain, notAfter: 0 });
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock, {
    current: () => full(pair),
    onChange: (changed) => void listeners.add(changed),
  });
  onTestFinished(listener.close);
  listener.handle((_request, response) => response.end('served'));
  return {
    listener,
    port: Number(new URL(listener.url).port),
    change(next) {
      for (const changed of listeners) changed(full(next));
    },
  };
}

/** A TLS connection, and the certificate that it was shown. */
async function handshake(port: number, options: ConnectionOptions = {}): Promise<{ socket: TLSSocket; shown: string }> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return { socket, shown: socket.getPeerX509Certificate()?.toString() ?? 'none' };
}

async function get(port: number, ca = authority.cert): Promise<string> {
  const outgoing = request({ host: '127.0.0.1', port, path: '/', ca, agent: false });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  return text(response);
}

describe('a TLS listener', () => {
  test('says so in its URL, and serves who trusts its certificate', async () => {
    const { listener, port } = await start();
    expect(listener.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(await get(port)).toBe('served');
    await expect(get(port, other.cert)).rejects.toThrow(/unable to verify|self.signed/);
  });

  test('shows each new connection the newest certificate, and keeps those that are there', async () => {
    const [first, second] = [make(), make()];
    const { port, change } = await start(first);
    const before = await handshake(port);
    expect(before.shown).toBe(first.cert);
    change(second);
    expect((await handshake(port)).shown).toBe(second.cert);
    before.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await text(before.socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('speaks TLS 1.2 and 1.3, and nothing older, whatever Node would, also after a change of certificate', async () => {
    const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls;
    onTestFinished(() => void Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS }));
    Object.assign(tls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT:@SECLEVEL=0' });
    const { port, change } = await start();
    for (const round of ['before', 'after']) {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const { socket } = await handshake(port, { minVersion: version, maxVersion: version });
        expect([round, socket.getProtocol()]).toEqual([round, version]);
      }
      for (const version of ['TLSv1', 'TLSv1.1'] as const) {
        const old = { minVersion: version, maxVersion: version };
        await expect(handshake(port, old)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
      }
      change(make());
    }
  });

  test('answers nothing to plain HTTP, and goes on', async () => {
    const { listener, port } = await start();
    const answer = await askRaw(listener.url, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n').catch(() => '');
    expect(answer).not.toMatch(/served|200/);
    expect(await get(port)).toBe('served');
  });

  test('survives connections that break off in their handshake', async () => {
    const { port } = await start();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const socket = connectTcp(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.end(Buffer.from([0x16, 0x03, 0x01]));
      await once(socket.resume(), 'close');
    }
    expect(await get(port)).toBe('served');
  });

  test('closes as any other', async () => {
    const { listener, port } = await start();
    await get(port);
    await listener.close();
    await expect(get(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
