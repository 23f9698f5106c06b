import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bundleDocument, openEndpoint } from '../../support/bundle-endpoint.ts';
import { createCertificate } from '../../support/certificates.ts';
import type { HttpsServer } from '../../support/https-server.ts';

const good: HttpsServer['handle'] = (_, response) => void response.end(bundleDocument(['a']));

describe('the certificate (https_web: Web PKI)', () => {
  const ca = createCertificate({ hosts: [] });
  const other = createCertificate({ hosts: ['localhost'] });

  test.each([
    ['itself trusted', createCertificate({ hosts: ['localhost'] }), undefined],
    ['issued by a trusted authority', createCertificate({ hosts: ['localhost'], issuer: ca }), ca.cert],
    ['issued by one of several', createCertificate({ hosts: ['localhost'], issuer: ca }), other.cert + ca.cert],
  ])('%s: good', async (_, certificate, trusted) => {
    const world = await openEndpoint({ handle: good, certificate, ...(trusted !== undefined && { ca: trusted }) });
    await world.nextWait();
    expect(world.keys()).toEqual(['a']);
  });

  test.each([
    ['of somebody else', createCertificate({ hosts: ['localhost'] }), other.cert],
    ['by an authority that is not trusted', createCertificate({ hosts: ['localhost'], issuer: ca }), other.cert],
    ['for another host', createCertificate({ hosts: ['127.0.0.1', 'example.org'] }), undefined],
    ['for nobody', createCertificate({ hosts: [] }), undefined],
    ['of yesterday', createCertificate({ hosts: ['localhost'], notAfter: new Date(Date.now() - 1000) }), undefined],
    ['of tomorrow', createCertificate({ hosts: ['localhost'], notBefore: new Date(Date.now() + 60_000) }), undefined],
    ['not in the public list', createCertificate({ hosts: ['localhost'] }), null],
  ])('%s: refused, and nobody has asked', async (_, certificate, trusted) => {
    const options = trusted === undefined ? {} : { ca: trusted };
    const world = await openEndpoint({ handle: good, certificate, ...options });
    await world.nextWait();
    expect(world.keys()).toBeUndefined();
    expect(world.source.health()).toEqual({
      state: 'down',
      code: 'bundle_unavailable',
      reason: 'the certificate of the bundle endpoint is not trusted',
    });
    expect(world.server.paths).toEqual([]);
  });

  test.each(['', 'no certificate\n'])(
    'a file of trusted ones that holds %j is an error, not the public list',
    async (ca) => {
      const world = await openEndpoint({ handle: good, ca });
      await world.nextWait();
      expect(world.source.health().reason).toBe('the file of trusted certificates has no certificate (PEM)');
      expect(world.server.connections).toBe(0);
    },
  );

  test('a file of trusted ones that changes counts from the next request on', async () => {
    const certificate = createCertificate({ hosts: ['localhost'] });
    const world = await openEndpoint({ handle: good, certificate, ca: other.cert });
    await world.nextWait();
    expect(world.keys()).toBeUndefined();
    await writeFile(world.caFile, certificate.cert);
    await world.poll();
    expect(world.keys()).toEqual(['a']);
  });
});

/** Answers `/bundle` with a redirect, everything else with a bundle. */
function redirecting(status: number, location: string | undefined): HttpsServer['handle'] {
  return (request, response) => {
    if (request.url !== '/bundle') good(request, response);
    else response.writeHead(status, location === undefined ? {} : { Location: location }).end();
  };
}

describe('a redirect (Federation 5.2.1.4)', () => {
  test.each([301, 302, 303, 307, 308])(
    '%d to another https URL is followed, and asked for anew each time',
    async (status) => {
      const world = await openEndpoint({ handle: redirecting(status, '/elsewhere?x=1') });
      await world.nextWait();
      expect(world.keys()).toEqual(['a']);
      await world.poll();
      expect(world.server.paths).toEqual(['/bundle', '/elsewhere?x=1', '/bundle', '/elsewhere?x=1']);
    },
  );

  test('to another server is followed under the same checks', async () => {
    const trusted = createCertificate({ hosts: [] });
    const certificate = createCertificate({ hosts: ['localhost'], issuer: trusted });
    const target = await openEndpoint({ handle: good, certificate, ca: trusted.cert });
    const from = await openEndpoint({
      certificate,
      ca: trusted.cert,
      handle: redirecting(302, `${target.server.url}/b`),
    });
    await from.nextWait();
    expect(from.keys()).toEqual(['a']);
    const stranger = await openEndpoint({ handle: good });
    await stranger.nextWait();
    from.server.handle = redirecting(302, `${stranger.server.url}/b`);
    await from.poll();
    expect(from.source.health()).toMatchObject({
      state: 'degraded',
      reason: 'the certificate of the bundle endpoint is not trusted',
    });
    expect(stranger.server.paths).toEqual(['/bundle']);
  });

  test('to plain HTTP is refused, and nobody has asked there', async () => {
    let asked = 0;
    const plain = createServer((_, response) => {
      asked += 1;
      response.end(bundleDocument(['evil']));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void plain.close());
    await once(plain, 'listening');
    const address = plain.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const world = await openEndpoint({ handle: redirecting(302, `http://localhost:${port}/b`) });
    await world.nextWait();
    expect([world.keys(), asked]).toEqual([undefined, 0]);
    expect(world.source.health().reason).toContain('expected an https URL');
  });

  test.each([
    'https://user:pass@localhost/',
    'https://user@localhost/',
    'ftp://localhost/',
    'file:///etc/passwd',
    'https://',
    undefined,
  ])('to %s is refused', async (location) => {
    const world = await openEndpoint({ handle: redirecting(302, location) });
    await world.nextWait();
    expect(world.keys()).toBeUndefined();
    expect(world.source.health().reason).toContain('redirects to what cannot be a bundle endpoint');
    expect(world.server.paths).toEqual(['/bundle']);
    expect(world.log.lines.join('')).not.toContain('pass@');
  });

  test('that never ends is given up after five', async () => {
    const world = await openEndpoint({ handle: redirecting(302, '/bundle') });
    await world.nextWait();
    expect(world.source.health().reason).toBe('the bundle endpoint redirects too often');
    expect(world.server.paths).toHaveLength(6);
  });
});
