import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { createCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { findLeaks } from '../support/find-leaks.ts';
import { ask, type HttpAnswer } from '../support/http.ts';
import { host } from '../support/remote-hosts.ts';
import { runSdkProgram } from '../support/sdk-program.ts';
import { tempFolder } from '../support/temp.ts';
import { startWorld } from '../support/world.ts';

const HOST = 'spiffe://example.org/host/a';

/** The whole service with a listener for one remote host, which may name `api`. */
async function startService() {
  const folder = await tempFolder();
  const authority = createCertificate({ hosts: [] });
  const server = createCertificate({ hosts: ['localhost', '127.0.0.1'], issuer: authority });
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await writeFile(tls.certFile, server.cert);
  await writeFile(tls.keyFile, server.key);
  const listen = { host: '127.0.0.1', port: 0 };
  const remoteHosts = { listen, url: undefined, tls, allow: [host(HOST, 'api')], requestsPerSecond: 1_000 };
  const world = await startWorld({ config: { remoteHosts } });
  const { remoteHosts: url = '', broker } = world.service.urls;
  const health = async (): Promise<Record<string, { state: string }>> =>
    JSON.parse((await ask(broker, { path: '/readyz' })).text).parts;
  await eventually(async () => expect((await health())['remoteHosts']).toMatchObject({ state: 'up' }));
  const mint = () => world.trust.certificateAuthority.mint({ spiffeId: SpiffeId.parse(HOST), ttl: 3600 });
  const connect = (client = mint()): Agent => {
    const agent = new Agent({ keepAlive: true, ca: authority.cert, servername: 'localhost', ...client });
    onTestFinished(() => agent.destroy());
    return agent;
  };
  const post = (agent: Agent, path: string, body: object): Promise<HttpAnswer> =>
    ask(url, {
      method: 'POST',
      path,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      tls: { agent },
    });
  /** A forwarder on loopback, for programs that show no certificate. */
  const forward = async (): Promise<string> => {
    const client = mint();
    const forwarder = createServer((local) => {
      const remote = connectTls({
        port: Number(new URL(url).port),
        ca: authority.cert,
        servername: 'localhost',
        ...client,
      });
      pipeline(local, remote, local, () => {});
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void forwarder.close());
    await once(forwarder, 'listening');
    const address = forwarder.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  };
  return { ...world, url, health, connect, post, forward };
}

test('a host on another machine: from its X509-SVID to the credentials of its component, through SPIRE and STS', async () => {
  const { connect, post, url, log, health } = await startService();
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  const agent = connect();
  const { secret, endpoint } = JSON.parse((await post(agent, '/v1/sessions', { component: 'api' })).text);
  expect(endpoint).toBe(url);
  const asked = await ask(url, { path: '/aws/models', headers: { Authorization: secret }, tls: { agent } });
  const credentials = JSON.parse(asked.text);
  expect(credentials).toMatchObject({ AccessKeyId: expect.stringMatching(/^ASIA/) });
  expect((await post(agent, '/v1/sessions', { component: 'ledger' })).status).toBe(403);
  expect(log.audits()).toContainEqual(
    expect.objectContaining({ action: 'credentials.request', outcome: 'ok', component: 'api', host: HOST }),
  );
  expect(await health()).toMatchObject({ remoteHosts: { state: 'up' }, remoteHostsTls: { state: 'up' } });
  const secrets = [secret.slice(23), credentials.SecretAccessKey, credentials.Token];
  expect(findLeaks(log.lines.join('\n'), secrets)).toEqual([]);
});

test('authorities change without a restart, also for a connection that is there', async () => {
  const { connect, post, trust } = await startService();
  const before = connect();
  const status = async (agent: Agent): Promise<number> =>
    (await post(agent, '/v1/sessions', { component: 'api' })).status;
  expect(await status(before)).toBe(200);
  trust.certificateAuthority.rotate();
  const after = connect();
  await eventually(async () => expect(await status(after)).toBe(200));
  expect(await status(before)).toBe(200);
  trust.certificateAuthority.revoke();
  await eventually(async () => expect(await status(before)).toBe(401));
  expect(await status(after)).toBe(200);
});

test('the agent goes away: hosts are let in by the last good bundle', async () => {
  const { connect, post, trust, health } = await startService();
  await trust.close();
  await eventually(async () => expect((await health())['remoteHosts']).toMatchObject({ state: 'degraded' }));
  expect((await post(connect(), '/v1/sessions', { component: 'api' })).status).toBe(200);
});

test("the AWS SDK's default chain on that machine, over a forwarder that shows the host's X509-SVID", async () => {
  const { connect, post, trust, forward } = await startService();
  const { secret, session } = JSON.parse((await post(connect(), '/v1/sessions', { component: 'api' })).text);
  const env = {
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_STS: trust.stsUrl,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${await forward()}/aws/models`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: secret,
  };
  const arn = 'arn:aws:sts::111122223333:assumed-role/models/team=api@example.org';
  expect(await runSdkProgram('aws', ['1', '2'], env)).toEqual([{ ok: arn }, { ok: arn }]);
  expect(session).toBe(secret.slice(0, 22));
}, 20_000);

test('nothing listens any more once the service is closed', async () => {
  const { connect, post, service } = await startService();
  const agent = connect();
  expect((await post(agent, '/v1/sessions', { component: 'api' })).status).toBe(200);
  await service.close();
  await expect(post(connect(), '/v1/sessions', { component: 'api' })).rejects.toThrow();
});
