import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { DelegatedIdentityApi } from '../../../src/identity/delegated-identity/api.ts';
import { MAX_GREETING_MS } from '../../../src/identity/delegated-identity/watched-credentials.ts';
import { startRawAgent } from '../../fakes/raw-agent.ts';
import { startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { startUnixProxy } from '../../fakes/unix-proxy.ts';
import { type Arrivals, createArrivals } from '../../support/arrivals.ts';
import { connectApi, unaborted } from '../../support/delegated-identity.ts';
import { eventually } from '../../support/eventually.ts';
import { tempFolder } from '../../support/temp.ts';

const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;
const BUNDLES = { 'spiffe://example.org': '{"keys":[]}' };

/** A peer that accepts connections and says nothing, ever. */
async function startMutePeer(): Promise<{ socketPath: string; connections: Arrivals<Socket> }> {
  const socketPath = join(await tempFolder(), 'admin.sock');
  const connections = createArrivals<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.resume();
    connections.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of connections.all) socket.destroy();
  });
  return { socketPath, connections };
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

function call(api: DelegatedIdentityApi, timeoutMs = 5_000) {
  return api.fetchJwtSvids({ audience: ['a'], selectors: [] }, { timeoutMs, signal: unaborted() });
}

/** A bundle stream: its messages, and how it ended. */
function subscribe(api: DelegatedIdentityApi) {
  const messages = createArrivals<unknown>();
  const ends = createArrivals<unknown>();
  const cancel = api.subscribeToJwtBundles({
    onMessage: (message) => messages.push(message),
    onEnd: (error) => ends.push(error),
  });
  return { messages, ends, cancel };
}

describe('an agent that accepts a connection and never says a word', () => {
  test('is hung up on after five seconds, and the one that takes its place is found', async () => {
    const mute = await startMutePeer();
    const api = connectApi(mute.socketPath);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const stream = subscribe(api);
    const first = await mute.connections.next();
    await eventually(async () => expect(vi.getTimerCount()).toBeGreaterThan(0));
    await vi.advanceTimersByTimeAsync(MAX_GREETING_MS - 1);
    expect(first.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closed(first);
    expect(await stream.ends.next()).toMatchObject({ code: UNAVAILABLE });

    // The hung process lives on; it may even have been connected to again. The path belongs to another one now.
    await rm(mute.socketPath);
    const agent = await startScriptedAgent({ socketPath: mute.socketPath });
    agent.onFetch = () => ({ svids: [] });
    const found = eventually(async () => {
      await vi.advanceTimersByTimeAsync(100);
      return await call(api);
    });
    expect(await found).toEqual([]);
    await Promise.all(mute.connections.all.map(closed));
  });
});

describe('a connection that has become half-open', () => {
  test('is cut by the first call that runs out of time: its streams end, and all goes on with a new one', async () => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ svids: [] });
    agent.onStream = (stream) => stream.send(BUNDLES);
    const proxy = await startUnixProxy(agent.socketPath);
    const api = connectApi(proxy.socketPath);
    const stream = subscribe(api);
    await stream.messages.next();
    expect(await call(api)).toEqual([]);
    expect(proxy.connections).toBe(1);

    proxy.freeze();
    await expect(call(api, 200)).rejects.toMatchObject({ code: DEADLINE_EXCEEDED });
    expect(await stream.ends.next()).toMatchObject({ code: UNAVAILABLE });
    expect(await eventually(() => call(api))).toEqual([]);
    await subscribe(api).messages.next();
    expect(proxy.connections).toBe(2);
  });
});

describe('an agent that is slow but there', () => {
  test('is left alone: it shows that a request has arrived, as grpc-go does, however long the answer takes', async () => {
    const agent = await startRawAgent();
    agent.onCall = (stream) => stream.session?.ping(() => {});
    const api = connectApi(agent.socketPath);
    const stream = subscribe(api);
    await agent.calls.next();
    await expect(call(api, 200)).rejects.toMatchObject({ code: DEADLINE_EXCEEDED });
    await expect(call(api, 200)).rejects.toMatchObject({ code: DEADLINE_EXCEEDED });
    expect(agent.sessions.all).toHaveLength(1);
    expect(stream.ends.all).toEqual([]);
  });
});
