import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { createCertificate, type TestCertificate } from '../support/certificates.ts';
import { ask } from '../support/http.ts';
import { host } from '../support/remote-hosts.ts';
import { until } from '../support/until.ts';
import { AUDIENCES, SOON, type SpireWorld, startSpireWorld } from './support/spire-world.ts';

const HOST = 'spiffe://example.org/host/a';

describe.skipIf(inject('spire') === undefined)('remote hosts with X509-SVIDs of a real SPIRE', () => {
  const authority = createCertificate({ hosts: [] });
  let world: SpireWorld;
  let url = '';

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'svidx-'));
    const server = createCertificate({ hosts: ['localhost', '127.0.0.1'], issuer: authority });
    const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
    await writeFile(tls.certFile, server.cert);
    await writeFile(tls.keyFile, server.key);
    const listen = { host: '127.0.0.1', port: 0 };
    const allow = [host(HOST, 'api-gateway')];
    world = await startSpireWorld({}, { remoteHosts: { listen, url: undefined, tls, allow, requestsPerSecond: 100 } });
    url = world.service.urls.remoteHosts ?? '';
    return async () => {
      await world.close();
      await rm(folder, { recursive: true });
    };
  });

  /** An X509-SVID that the SPIRE server has signed. */
  async function mint(spiffeId = HOST): Promise<TestCertificate> {
    const folder = await mkdtemp(join(world.spire.folder, 'x509-'));
    await world.spire.server.ctl('x509 mint', '-spiffeID', spiffeId, '-write', folder);
    return {
      cert: await readFile(join(folder, 'svid.pem'), 'utf8'),
      key: await readFile(join(folder, 'key.pem'), 'utf8'),
    };
  }

  function connect(client: TestCertificate): Agent {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.cert, servername: 'localhost', ...client });
    onTestFinished(() => agent.destroy());
    return agent;
  }

  /** What a request for a token of this component comes to. */
  async function outcome(agent: Agent, component = 'api-gateway'): Promise<string> {
    const body = JSON.stringify({ component, audience: [AUDIENCES[0]] });
    const headers = { 'Content-Type': 'application/json' };
    const answer = await ask(url, { method: 'POST', path: '/v1/token', headers, body, tls: { agent } });
    return answer.status === 200 ? 'ok' : JSON.parse(answer.text).code;
  }

  async function soon(expected: string, agent: Agent): Promise<void> {
    await until(
      expected,
      () => outcome(agent),
      (seen) => seen === expected,
      SOON,
    );
  }

  test('a host has what it may name, and nothing else', async () => {
    const agent = connect(await mint());
    await soon('ok', agent);
    expect(await outcome(agent, 'ledger')).toBe('policy_denied');
    expect(await outcome(connect(await mint('spiffe://example.org/host/b')))).toBe('host_denied');
    expect(world.service.urls.remoteHosts).toMatch(/^https:/);
  });

  test('the authority changes in four steps: prepare, activate, taint, revoke; each counts on connections that are there', async () => {
    const ctl = async (command: string, ...args: string[]) =>
      JSON.parse(await world.spire.server.ctl(`localauthority x509 ${command}`, ...args, '-output', 'json'));
    const old = (await ctl('show')).active.authority_id;
    const before = connect(await mint());
    await soon('ok', before);
    const next = (await ctl('prepare')).prepared_authority.authority_id;
    await ctl('activate', '-authorityID', next);
    const after = connect(await mint());
    await soon('ok', after);
    expect(await outcome(before)).toBe('ok');
    await ctl('taint', '-authorityID', old);
    await ctl('revoke', '-authorityID', old);
    await soon('certificate_untrusted', before);
    expect(await outcome(after)).toBe('ok');
  });
});
