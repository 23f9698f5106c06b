import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { loadConfig } from '../../src/config/config.ts';
import { createService, type IssuerService } from '../../src/service.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { startFakeSpire } from '../fakes/trust-domain.ts';
import { createCertificate } from '../support/certificates.ts';
import { refusalCode } from '../support/errors.ts';
import { eventually } from '../support/eventually.ts';
import { ask } from '../support/http.ts';
import { type Setup, setup } from '../support/serve-setup.ts';
import { svidx } from '../support/svidx.ts';

/** The service as `svidx serve` has it, with these lines added to its configuration. */
async function start(place: Setup): Promise<IssuerService> {
  const config = await loadConfig(place.config, {});
  const service = await createService(config, {
    clock: systemClock,
    random: Math.random,
    logger: createMemoryLog().logger,
  });
  onTestFinished(service.close);
  return service;
}

async function json(server: string, path: string, host = 'kubelet.example'): Promise<[number, unknown]> {
  const { status, text } = await ask(server, { path, headers: { Host: host } });
  return [status, JSON.parse(text)];
}

const HEALTH = 'health: { listen: "127.0.0.1:0" }\n';

describe('the health of a service', () => {
  test('is told in full on the private socket and on its own listener, and in codes in public', async () => {
    const place = await setup({ lines: HEALTH });
    const { urls } = await start(place);
    expect(urls.health).toMatch(/^http:\/\/127\.0\.0\.1:/);
    await writeFile(join(place.folder, 'policies/bad.yaml'), 'evil: [');
    for (const server of [urls.broker ?? '', urls.health ?? '']) {
      expect(await json(server, '/livez')).toEqual([200, { state: 'up' }]);
      const [status, body] = await eventually(async () => {
        const answer = await json(server, '/readyz');
        expect(answer[1]).toMatchObject({ parts: { policies: { state: 'degraded' } } });
        return answer;
      });
      expect(status).toBe(503);
      expect(body).toMatchObject({
        state: 'down',
        parts: {
          bundles: { state: 'down', code: 'bundle_unavailable' },
          policies: { code: 'policy_invalid', reason: expect.stringContaining(`${place.folder}/policies/bad.yaml:1`) },
          spire: { state: 'up' },
        },
      });
      expect(body).not.toHaveProperty('parts.tls');
    }
    const [status, body] = await json(urls.http, '/readyz');
    expect([status, body]).toMatchObject([503, { state: 'down', parts: { policies: { code: 'policy_invalid' } } }]);
    expect(JSON.stringify(body)).not.toContain(place.folder);
    expect(JSON.stringify(body)).not.toContain('nonexistent');
    expect((await json(urls.http, '/readyz/policies'))[0]).toBe(200);
    expect((await json(urls.http, '/readyz/bundles'))[0]).toBe(503);
    // Only health checks are for everybody who comes by address.
    expect((await json(urls.http, '/keys'))[0]).toBe(421);
    expect((await json(urls.health ?? '', '/keys'))[0]).toBe(404);
    expect((await json(urls.health ?? '', '/v1/token'))[0]).toBe(404);
  });

  test('is up with SPIRE, and says how old its news is', async () => {
    const spire = await startFakeSpire();
    const service = await start(await setup({ spire: `unix://${spire.socketPath}`, lines: HEALTH }));
    await service.ready();
    expect(await json(service.urls.http, '/readyz')).toMatchObject([200, { state: 'up' }]);
    const [, bundles] = await json(service.urls.health ?? '', '/readyz/bundles');
    expect(bundles).toMatchObject({ state: 'up', age: expect.any(Number) });
    await service.broker?.identity({ component: 'api' }, ['me']);
    expect((await json(service.urls.broker ?? '', '/readyz/spire'))[1]).toMatchObject({
      state: 'up',
      age: expect.any(Number),
    });
    await spire.close();
    await eventually(async () =>
      expect(await json(service.urls.http, '/readyz/bundles')).toMatchObject([200, { state: 'degraded' }]),
    );
  });
});

describe('the health of an issuer alone', () => {
  test('has no parts of a broker', async () => {
    const place = await setup();
    const bundle = join(place.folder, 'bundle.json');
    await writeFile(bundle, '{"keys":[]}');
    await writeFile(
      place.config,
      `trustDomain: example.org
issuer: https://oidc.example.org
http: { listen: "127.0.0.1:0" }
broker: { enabled: false }
bundle: { file: { path: bundle.json } }
${HEALTH}`,
    );
    const { urls } = await start(place);
    expect(urls.broker).toBeNull();
    const [status, body] = await json(urls.health ?? '', '/readyz');
    expect([status, body]).toMatchObject([503, { parts: { bundles: { state: 'down', code: 'bundle_unavailable' } } }]);
    expect(Object.keys(Object(body).parts)).toEqual(['bundles']);
    expect((await json(urls.http, '/readyz/policies', 'localhost'))[0]).toBe(404);
  });
});

describe('a service with a certificate', () => {
  test('speaks TLS, limits clients by default, and tells of a certificate that cannot be used', async () => {
    const spire = await startFakeSpire();
    const place = await setup({ spire: `unix://${spire.socketPath}` });
    const [certFile, keyFile] = [join(place.folder, 'tls.crt'), join(place.folder, 'tls.key')];
    const pair = createCertificate({ hosts: ['oidc.example.org'] });
    await writeFile(certFile, pair.cert);
    await writeFile(keyFile, pair.key);
    const yaml = `trustDomain: example.org
issuer: https://oidc.example.org
http: { listen: "127.0.0.1:0", tls: { certFile: tls.crt, keyFile: tls.key }, requestsPerSecond: 2 }
spire: { adminSocket: "unix://${spire.socketPath}" }
broker: { socket: ${place.socket} }
`;
    await writeFile(place.config, yaml);
    const service = await start(place);
    await service.ready();
    const get = (path: string): Promise<[number | undefined, unknown]> =>
      new Promise((resolve, reject) => {
        const outgoing = request(
          {
            host: '127.0.0.1',
            port: new URL(service.urls.http).port,
            path,
            servername: 'oidc.example.org',
            ca: pair.cert,
            headers: { Host: 'oidc.example.org' },
            agent: false,
          },
          (response) => void text(response).then((body) => resolve([response.statusCode, JSON.parse(body)]), reject),
        );
        outgoing.on('error', reject);
        outgoing.end();
      });
    expect(service.urls.http).toMatch(/^https:/);
    expect((await get('/keys'))[0]).toBe(200);
    expect(await get('/readyz/tls')).toMatchObject([200, { state: 'up' }]);
    const statuses = [];
    for (let count = 0; count < 20; count += 1) statuses.push((await get('/keys'))[0]);
    expect(statuses).toContain(429);
    expect((await get('/readyz'))[0]).toBe(200);

    await writeFile(keyFile, createCertificate({ hosts: [] }).key);
    await eventually(async () =>
      expect(await json(service.urls.broker ?? '', '/readyz/tls')).toMatchObject([
        200,
        { state: 'degraded', reason: expect.stringContaining(keyFile) },
      ]),
    );
    const [status, body] = await get('/readyz/tls');
    expect([status, body]).toMatchObject([200, { state: 'degraded', code: 'config_invalid' }]);
    expect(JSON.stringify(body)).not.toContain(place.folder);

    // At the start there is no last good one.
    expect(await refusalCode(start(place))).toBe('config_invalid');
    expect(await svidx(['serve', '-c', place.config, '--check'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('tls.key: is not the key of the certificate in'),
    });
  });
});
