import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Agent, request, type Server, type ServerResponse } from 'node:http';
import { connect, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type Listener, listenOnTcp } from '../../src/http/listener.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { refusal } from '../support/errors.ts';
import { ask, askRaw } from '../support/http.ts';

async function startListener(clock: Clock = systemClock): Promise<Listener> {
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  onTestFinished(listener.close);
  return listener;
}

/** A listener whose first request waits for the test: `held` is its response. */
async function startHolding(
  clock: Clock = systemClock,
): Promise<{ listener: Listener; held: Promise<ServerResponse> }> {
  const listener = await startListener(clock);
  const held = new Promise<ServerResponse>((resolve) => listener.handle((_request, response) => resolve(response)));
  return { listener, held };
}

/** The `http.Server` behind a listener, as Node's own diagnostics show it. */
async function serverOf(listener: Listener): Promise<Server> {
  let found: Server | undefined;
  const onRequest = (message: unknown): void => {
    if (isRequestStart(message)) found = message.server;
  };
  subscribe('http.server.request.start', onRequest);
  await ask(listener.url, { path: '/' });
  unsubscribe('http.server.request.start', onRequest);
  if (found === undefined) throw new Error('no request was seen');
  return found;
}

function isRequestStart(message: unknown): message is { server: Server } {
  return typeof message === 'object' && message !== null && 'server' in message;
}

describe('a TCP listener', () => {
  test('says where it is, and answers 503 until it is given something to serve', async () => {
    const listener = await startListener();
    expect(listener.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const answer = await ask(listener.url, { path: '/keys' });
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toEqual({
      code: 'service_stopping',
      message: 'the service is not ready to answer',
    });
    listener.handle((_request, response) => response.end('served'));
    expect(await ask(listener.url, { path: '/keys' })).toMatchObject({ status: 200, text: 'served' });
  });

  test('listens on the address it was given only', async () => {
    const { url } = await startListener();
    const elsewhere = connect(Number(new URL(url).port), '127.0.0.2');
    const [error] = await once(elsewhere, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('writes an IPv6 address in brackets', async () => {
    const listener = await listenOnTcp({ host: '::1', port: 0 }, systemClock);
    onTestFinished(listener.close);
    expect(listener.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await ask(listener.url, { path: '/' })).status).toBe(503);
  });

  test('a port that is in use is refused, and whoever uses it goes on', async () => {
    const first = await startListener();
    const port = Number(new URL(first.url).port);
    expect(await refusal(listenOnTcp({ host: '127.0.0.1', port }, systemClock))).toMatchObject({
      code: 'config_invalid',
      message: `cannot listen on 127.0.0.1:${port} (EADDRINUSE)`,
    });
    expect((await ask(first.url, { path: '/' })).status).toBe(503);
  });

  test('an address that this machine does not have is refused', async () => {
    // RFC 5737: 192.0.2.0/24 is nobody's.
    expect(await refusal(listenOnTcp({ host: '192.0.2.1', port: 0 }, systemClock))).toMatchObject({
      code: 'config_invalid',
      message: 'cannot listen on 192.0.2.1:0 (EADDRNOTAVAIL)',
    });
  });

  test('slow clients are cut off: 5 s for a head, 10 s for a request, 30 s of silence', async () => {
    const server = await serverOf(await startListener());
    expect(server).toMatchObject({ headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 30_000 });
  });

  test('holds at most 4096 connections', async () => {
    expect(await serverOf(await startListener())).toMatchObject({ maxConnections: 4_096 });
  });

  test('connections that it cannot accept do not end the process', async () => {
    const listener = await startListener();
    const server = await serverOf(listener);
    // What Node emits when accept(2) fails, as often as it fails.
    for (let failure = 0; failure < 3; failure += 1) server.emit('error', new Error('accept EMFILE'));
    expect((await ask(listener.url, { path: '/' })).status).toBe(503);
  });

  test('a connection that does not speak HTTP is refused and disturbs no other', async () => {
    const { listener, held } = await startHolding();
    const waiting = ask(listener.url, { path: '/' });
    const response = await held;
    expect(await askRaw(listener.url, '\u0000\u0001 not HTTP')).toMatch(/^HTTP\/1\.1 400 /);
    response.end('done');
    expect(await waiting).toMatchObject({ status: 200, text: 'done' });
  });
});

describe('closing', () => {
  test('lets a request under way finish, refuses new ones, and is done when the last is', async () => {
    const { listener, held } = await startHolding();
    const underWay = ask(listener.url, { path: '/' });
    const response = await held;
    let closed = false;
    const closing = listener.close().then(() => {
      closed = true;
    });
    await expect(ask(listener.url, { path: '/' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(closed).toBe(false);
    response.end('done');
    expect(await underWay).toMatchObject({ status: 200, text: 'done' });
    await closing;
  });

  test('does not wait for connections that are only kept alive', async () => {
    const listener = await startListener(createFakeClock());
    const agent = new Agent({ keepAlive: true });
    const outgoing = request(listener.url, { agent });
    outgoing.end();
    const [response] = await once(outgoing, 'response');
    response.resume();
    await once(outgoing, 'close');
    expect(Object.values(agent.freeSockets)).toHaveLength(1);
    await listener.close();
    agent.destroy();
  });

  test('does not keep a connection alive once its request is answered', async () => {
    const { listener, held } = await startHolding(createFakeClock());
    const agent = new Agent({ keepAlive: true });
    const outgoing = request(listener.url, { agent });
    const answered = once(outgoing, 'response');
    outgoing.end();
    const response = await held;
    const closing = listener.close();
    response.end('done');
    const [answer] = await answered;
    answer.resume();
    await closing;
    agent.destroy();
  });

  test('cuts off after ten seconds what does not finish', async () => {
    const clock = createFakeClock();
    const { listener, held } = await startHolding(clock);
    const underWay = ask(listener.url, { path: '/' }).catch((error: unknown) => error);
    await held;
    let closed = false;
    const closing = listener.close().then(() => {
      closed = true;
    });
    await clock.advance(9_999);
    expect(closed).toBe(false);
    await clock.advance(1);
    expect(await underWay).toMatchObject({ code: 'ECONNRESET' });
    await closing;
  });

  test('may be asked for again, and leaves no timer', async () => {
    const clock = createFakeClock();
    const listener = await startListener(clock);
    expect(listener.close()).toBe(listener.close());
    await listener.close();
    expect(clock.timers).toBe(0);
    await expect(ask(listener.url, { path: '/' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('frees the port', async () => {
    const listener = await startListener();
    const port = Number(new URL(listener.url).port);
    await listener.close();
    const next = createServer();
    onTestFinished(() => void next.close());
    next.listen(port, '127.0.0.1');
    await once(next, 'listening');
  });
});
