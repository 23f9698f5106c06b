import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BundleConfig, IssuerConfig } from '../../src/config/config.ts';
import { parseIssuer } from '../../src/config/issuer.ts';
import { createService } from '../../src/service.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { startScriptedAgent } from '../fakes/scripted-agent.ts';
import { startScriptedWorkloadApi } from '../fakes/scripted-workload-api.ts';
import { bundleDocument } from '../support/bundle-endpoint.ts';
import { createCertificate } from '../support/certificates.ts';
import { startHttpsServer } from '../support/https-server.ts';
import { loopbackListeners } from '../support/listeners.ts';
import { publicJwk } from '../support/signing-keys.ts';
import { tempFolder } from '../support/temp.ts';

const JWK_SET = JSON.stringify({ keys: [{ kid: 'a', ...publicJwk('example.org/ec-p256-a') }] });
const STATE = { 'spiffe://example.org': JWK_SET };

/** Something that gives the key `a`, by each of the ways there are. */
const SOURCES: Readonly<Record<BundleConfig['from'], () => Promise<BundleConfig>>> = {
  async delegatedIdentity() {
    const agent = await startScriptedAgent();
    agent.onStream = (stream) => stream.send(STATE);
    return { from: 'delegatedIdentity', socket: agent.socketPath };
  },
  async workloadApi() {
    const api = await startScriptedWorkloadApi();
    api.onStream = (stream) => stream.send(STATE);
    return { from: 'workloadApi', target: api.target };
  },
  async httpsWeb() {
    const certificate = createCertificate({ hosts: ['localhost'] });
    const server = await startHttpsServer(certificate);
    server.handle = (_, response) => void response.end(bundleDocument(['a']));
    const caFile = join(await tempFolder(), 'ca.pem');
    await writeFile(caFile, certificate.cert);
    return { from: 'httpsWeb', url: `${server.url}/bundle`, caFile };
  },
  async file() {
    const path = join(await tempFolder(), 'bundle.json');
    await writeFile(path, JWK_SET);
    return { from: 'file', path };
  },
};

function issuerConfig(bundle: BundleConfig): IssuerConfig {
  const issuer = parseIssuer('https://oidc.example.org');
  if ('problem' in issuer) throw new Error(issuer.problem);
  return {
    trustDomain: TrustDomain.parse('example.org'),
    issuer,
    ...loopbackListeners(issuer),
    bundle,
    spireTimeoutMs: 5_000,
    logLevel: 'trace',
  };
}

describe('an issuer alone, without any broker', () => {
  test.each(Object.entries(SOURCES))('publishes the keys that come from %s', async (_, start) => {
    const log = createMemoryLog();
    const service = await createService(issuerConfig(await start()), {
      clock: createFakeClock(),
      random: () => 0.5,
      logger: log.logger,
    });
    onTestFinished(service.close);
    await service.ready();
    expect([service.broker, service.urls.broker]).toEqual([null, null]);
    const { keys }: { keys: object[] } = JSON.parse(await (await fetch(`${service.urls.http}/keys`)).text());
    expect(keys).toEqual([{ kid: 'a', use: 'sig', alg: 'ES256', ...publicJwk('example.org/ec-p256-a') }]);
    expect(log.entries().filter(({ level }) => level !== 'info')).toEqual([]);
    await service.close();
    await expect(fetch(`${service.urls.http}/keys`)).rejects.toThrow();
  });
});
