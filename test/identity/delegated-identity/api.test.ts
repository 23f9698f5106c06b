import { execFile } from 'node:child_process';
import { link, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { createDelegatedJwtSvidSource } from '../../../src/identity/delegated-identity/jwt-svid-source.ts';
import { startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { startFakeSpire } from '../../fakes/trust-domain.ts';
import { API, connectApi, connectSvidSource, unaborted } from '../../support/delegated-identity.ts';
import { refusal, refusalCode } from '../../support/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { tempFolder } from '../../support/temp.ts';

/** A server at a unix socket that does not speak gRPC: it sends this to everyone who connects, or nothing. */
async function listenAt(path: string, greeting?: string): Promise<void> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('error', () => {});
    if (greeting !== undefined) socket.end(greeting);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of connections) socket.destroy();
  });
}

function ask(socketPath: string, timeoutMs = 5_000) {
  return connectSvidSource(socketPath, { timeoutMs }).fetchJwtSvid(API, ['a.example.org'], unaborted());
}

describe('what is at the path of the socket', () => {
  test('nothing: the error says so, and where', async () => {
    const path = join(await tempFolder(), 'nobody.sock');
    const error = await refusal(ask(path));
    expect(error).toMatchObject({
      code: 'identity_unavailable',
      message: 'the SPIRE agent cannot be reached or cannot get the JWT-SVID',
    });
    expect(error.detail).toContain(`connect ENOENT ${path}`);
  });

  test('a file that is not a socket', async () => {
    const path = join(await tempFolder(), 'file');
    await writeFile(path, 'not a socket');
    const error = await refusal(ask(path));
    expect(error).toMatchObject({ code: 'identity_unavailable' });
    expect(error.detail).toContain(`connect ECONNREFUSED ${path}`);
  });

  test('the socket of an agent that was killed', async () => {
    const folder = await tempFolder();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, 'live.sock'), resolve));
    await link(join(folder, 'live.sock'), join(folder, 'stale.sock'));
    await new Promise<void>((resolve) => server.close(() => resolve()));
    const error = await refusal(ask(join(folder, 'stale.sock')));
    expect(error.code).toBe('identity_unavailable');
    expect(error.detail).toContain('ECONNREFUSED');
  });

  test('a server of another protocol', async () => {
    const path = join(await tempFolder(), 'http.sock');
    await listenAt(path, 'HTTP/1.1 400 Bad Request\r\n\r\n');
    expect(await refusalCode(ask(path))).toBe('identity_unavailable');
  });

  test('a gRPC server of another service, such as the Workload API: the error says which socket is meant', async () => {
    const agent = await startScriptedAgent({ serve: 'nothing' });
    expect(await refusal(ask(agent.socketPath))).toMatchObject({
      code: 'identity_request_rejected',
      message: "the socket does not serve SPIRE's Delegated Identity API; expected the agent's admin socket",
    });
  });

  test("an agent, which is reached directly whatever the host's proxy variables say", async () => {
    for (const name of ['grpc_proxy', 'http_proxy', 'https_proxy', 'all_proxy']) vi.stubEnv(name, 'http://127.0.0.1:1');
    onTestFinished(() => void vi.unstubAllEnvs());
    const spire = await startFakeSpire();
    expect((await ask(spire.socketPath)).spiffeId.toString()).toBe('spiffe://example.org/api');
  });
});

describe('a call that hangs', () => {
  test('ends at its time limit, which the agent knew, and is cancelled there', async () => {
    const agent = await startScriptedAgent();
    const before = Date.now();
    const refused = refusal(ask(agent.socketPath, 100));
    const call = await agent.fetches.next();
    expect(call.deadline).toBeLessThanOrEqual(Date.now() + 100);
    expect(call.deadline).toBeGreaterThan(before);
    expect(await refused).toMatchObject({
      code: 'identity_unavailable',
      message: 'the SPIRE agent did not answer in time',
    });
    await call.cancelled;
  });

  test('ends at its time limit also when the agent never even greets', async () => {
    const path = join(await tempFolder(), 'mute.sock');
    await listenAt(path);
    expect(await refusal(ask(path, 100))).toMatchObject({ message: 'the SPIRE agent did not answer in time' });
  });

  test('ends when the caller gives up, with the reason the caller had, and is cancelled at the agent', async () => {
    const agent = await startScriptedAgent();
    const abort = new AbortController();
    const source = connectSvidSource(agent.socketPath);
    const waiting = source.fetchJwtSvid(API, ['a.example.org'], abort.signal);
    const call = await agent.fetches.next();
    const reason = new Error('given up');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await call.cancelled;
    expect(agent.streams.all).toEqual([]);
  });

  test('does not hold up another call', async () => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => (agent.fetches.all.length === 1 ? 'hang' : { svids: [] });
    const source = connectSvidSource(agent.socketPath);
    const abort = new AbortController();
    const hanging = source.fetchJwtSvid(API, ['a'], abort.signal);
    await agent.fetches.next();
    expect(await refusalCode(source.fetchJwtSvid(API, ['a'], unaborted()))).toBe('identity_not_found');
    abort.abort();
    await expect(hanging).rejects.toThrow();
  });

  test('ends as unavailable when the agent dies', async () => {
    const agent = await startScriptedAgent();
    const refused = refusalCode(ask(agent.socketPath));
    await agent.fetches.next();
    await agent.stop();
    expect(await refused).toBe('identity_unavailable');
  });
});

describe('the life of a client', () => {
  test('it serves again after the agent was restarted at the same path, without a new client', async () => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ svids: [] });
    const api = connectApi(agent.socketPath);
    const call = () => api.fetchJwtSvids({ audience: ['a'], selectors: [] }, { timeoutMs: 5_000, signal: unaborted() });
    for (let restart = 0; restart < 2; restart += 1) {
      expect(await eventually(call)).toEqual([]);
      await agent.stop();
      await expect(call()).rejects.toMatchObject({ code: 14 });
      await agent.start();
    }
    expect(await eventually(call)).toEqual([]);
  });

  test('it leaves a killed agent, whose socket stays behind, for the one that takes its place', async () => {
    const killed = await startScriptedAgent();
    killed.onFetch = () => ({ svids: [] });
    const path = join(await tempFolder(), 'admin.sock');
    await link(killed.socketPath, path);
    const source = connectSvidSource(path);
    const ask = () => refusal(source.fetchJwtSvid(API, ['a'], unaborted()));
    expect((await ask()).code).toBe('identity_not_found');
    await killed.stop();
    const dangling = await eventually(async () => {
      const error = await ask();
      expect(error.detail).toContain('ECONNREFUSED');
      return error;
    });
    expect(dangling.code).toBe('identity_unavailable');

    await rm(path);
    const next = await startScriptedAgent({ socketPath: path });
    next.onFetch = () => ({ svids: [] });
    await eventually(async () => expect((await ask()).code).toBe('identity_not_found'));
    expect(next.fetches.all).toHaveLength(1);
  });

  test('it keeps to the agent that it is connected to while the path leads to another, then goes to that one', async () => {
    const first = await startScriptedAgent();
    const path = join(await tempFolder(), 'admin.sock');
    await link(first.socketPath, path);
    first.onFetch = () => ({ svids: [] });
    const source = connectSvidSource(path);
    const ask = () => refusalCode(source.fetchJwtSvid(API, ['a'], unaborted()));
    expect(await ask()).toBe('identity_not_found');

    await rm(path);
    const second = await startScriptedAgent({ socketPath: path });
    second.onFetch = () => ({ svids: [] });
    expect(await ask()).toBe('identity_not_found');
    expect(first.fetches.all).toHaveLength(2);
    await first.stop();
    await eventually(async () => expect(await ask()).toBe('identity_not_found'));
    expect(second.fetches.all).toHaveLength(1);
  });

  test('it comes to life when the agent starts later than we do', async () => {
    const agent = await startScriptedAgent();
    await agent.stop();
    agent.onFetch = () => ({ svids: [] });
    const source = connectSvidSource(agent.socketPath);
    const call = () => source.fetchJwtSvid(API, ['a'], unaborted());
    expect(await refusalCode(call)).toBe('identity_unavailable');
    await agent.start();
    await eventually(async () => expect(await refusalCode(call)).toBe('identity_not_found'));
  });

  test('once closed it refuses, as unavailable', async () => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ svids: [] });
    const api = connectApi(agent.socketPath);
    const source = createDelegatedJwtSvidSource({ api, clock: systemClock, timeoutMs: 1_000 });
    expect(await refusalCode(source.fetchJwtSvid(API, ['a'], unaborted()))).toBe('identity_not_found');
    api.close();
    const error = await refusal(source.fetchJwtSvid(API, ['a'], unaborted()));
    expect(error).toMatchObject({ code: 'identity_unavailable', detail: 'Error: Channel has been shut down' });
  });

  test('once closed, with its bundle source, nothing of it keeps a process alive', async () => {
    const spire = await startFakeSpire();
    const src = join(import.meta.dirname, '../../../src');
    const script = `
      import { createDelegatedIdentityApi } from ${JSON.stringify(join(src, 'identity/delegated-identity/api.ts'))};
      import { createDelegatedJwtBundleSource } from ${JSON.stringify(join(src, 'identity/delegated-identity/jwt-bundle-source.ts'))};
      import { systemClock as clock } from ${JSON.stringify(join(src, 'base/clock.ts'))};
      import { TrustDomain } from ${JSON.stringify(join(src, 'spiffe/trust-domain.ts'))};
      const logger = { debug() {}, info() {}, warn() {}, error() {} };
      const api = createDelegatedIdentityApi(${JSON.stringify(spire.socketPath)});
      const connect = () => createDelegatedIdentityApi(${JSON.stringify(spire.socketPath)});
      const trustDomain = TrustDomain.parse('example.org');
      const bundles = createDelegatedJwtBundleSource({ connect, trustDomain, clock, random: Math.random, logger, timeoutMs: 5000 });
      bundles.onChange(() => {
        process.stdout.write(String(bundles.get(trustDomain).authorities.length));
        bundles.close();
        api.close();
      });
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      timeout: 15_000,
    });
    expect(stdout).toBe('1');
  });
});
