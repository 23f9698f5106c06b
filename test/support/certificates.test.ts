import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get } from 'node:https';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createCertificate, type TestCertificate } from './certificates.ts';

/** What a client that trusts `ca` and asks for `servername` reads from a server with this certificate. */
async function ask(server: TestCertificate, ca: string, servername: string): Promise<string> {
  const listener = createServer(server, (_, response) => void response.end('hello')).listen(0, '127.0.0.1');
  onTestFinished(() => void listener.close());
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const request = get({ host: '127.0.0.1', port: address.port, ca, servername, agent: false });
  const [response] = await once(request, 'response');
  return text(response);
}

describe('a certificate made for a test', () => {
  test('is for its names and addresses, its key and its time', () => {
    const notBefore = new Date('2020-01-02T03:04:05Z');
    const notAfter = new Date('2051-01-02T03:04:05Z');
    const hosts = ['localhost', '127.0.0.1', '::1', 'fe80::1:2'];
    const { cert, key } = createCertificate({ hosts, notBefore, notAfter });
    const read = new X509Certificate(cert);
    expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect([read.validFromDate, read.validToDate]).toEqual([notBefore, notAfter]);
    expect(read.checkHost('localhost')).toBe('localhost');
    expect(read.checkHost('other')).toBeUndefined();
    for (const address of hosts.slice(1)) expect(read.checkIP(address), address).toBe(address);
    expect(read.checkIP('127.0.0.2')).toBeUndefined();
    expect([read.ca, read.verify(read.publicKey)]).toEqual([true, true]);
  });

  test('is issued by another where one is named', () => {
    const issuer = createCertificate({ hosts: [] });
    const read = new X509Certificate(createCertificate({ hosts: ['a.example'], issuer }).cert);
    const authority = new X509Certificate(issuer.cert);
    expect([read.ca, read.checkIssued(authority), read.verify(authority.publicKey)]).toEqual([false, true, true]);
  });

  test('serves TLS, trusted through itself or through its issuer, and by nobody else', async () => {
    const own = createCertificate({ hosts: ['localhost'] });
    const issuer = createCertificate({ hosts: [] });
    const issued = createCertificate({ hosts: ['localhost'], issuer });
    expect(await ask(own, own.cert, 'localhost')).toBe('hello');
    expect(await ask(issued, issuer.cert, 'localhost')).toBe('hello');
    await expect(ask(issued, own.cert, 'localhost')).rejects.toThrow();
    await expect(ask(own, own.cert, 'elsewhere')).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    const expired = createCertificate({ hosts: ['localhost'], notAfter: new Date(Date.now() - 60_000) });
    await expect(ask(expired, expired.cert, 'localhost')).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' });
  });
});
