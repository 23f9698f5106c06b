import { beforeEach, describe, expect, test } from 'vitest';
import { IncomingBody, OutgoingBody } from '../../../src/component/imports/wasi-http-bodies.ts';
import { Fields } from '../../../src/component/imports/wasi-http-fields.ts';
import { createWasiHttpHandler } from '../../../src/component/imports/wasi-http-handler.ts';
import { FutureIncomingResponse, IncomingRequest } from '../../../src/component/imports/wasi-http-incoming.ts';
import {
  OutgoingRequest,
  OutgoingResponse,
  RequestOptions,
} from '../../../src/component/imports/wasi-http-outgoing.ts';
import type { FromWorker } from '../../../src/component/messages.ts';
import { PIPE_WINDOW } from '../../../src/component/pipes.ts';
import { createFakeGuest, type FakeGuest } from '../../fakes/guest.ts';
import { thrown } from '../../support/thrown.ts';

let guest: FakeGuest;
beforeEach(() => {
  guest = createFakeGuest();
});

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** The `err` of a result that has no value, as jco takes it. */
function expectRefusal(work: () => unknown): void {
  expect(thrown(work)).toHaveProperty('payload', undefined);
}

function sentOf<T extends FromWorker['type']>(type: T): Extract<FromWorker, { type: T }>[] {
  return guest.border.sent.filter((message): message is Extract<FromWorker, { type: T }> => message.type === type);
}

const HEAD = {
  method: 'PATCH',
  scheme: 'http',
  authority: 'a:80',
  pathWithQuery: '/p?q',
  headers: [['a', '1']],
} as const;

describe('an incoming request', () => {
  test('says what it is, in the variants of the WIT', () => {
    const of = (method: string) => new IncomingRequest(guest.border, { ...HEAD, method }, undefined);
    expect([of('PATCH').method(), of('PURGE').method(), of('get').method()]).toEqual([
      { tag: 'patch' },
      { tag: 'other', val: 'PURGE' },
      { tag: 'other', val: 'get' },
    ]);
    expect([of('GET').scheme(), of('GET').authority(), of('GET').pathWithQuery()]).toEqual([
      { tag: 'HTTP' },
      'a:80',
      '/p?q',
    ]);
  });

  test('gives its body once, and the body its stream once', () => {
    const request = new IncomingRequest(guest.border, HEAD, guest.state().pipes.reader(1));
    const body = request.consume();
    expectRefusal(() => request.consume());
    body.stream();
    expectRefusal(() => body.stream());
  });

  test('without a body has one that is at its end, and no trailers', () => {
    const body = new IncomingRequest(guest.border, HEAD, undefined).consume();
    expect(thrown(() => body.stream().read(1n))).toEqual({ tag: 'closed' });
    const trailers = IncomingBody.finish(body);
    expect(trailers.subscribe().ready()).toBe(true);
    expect(trailers.get()).toEqual({ tag: 'ok', val: { tag: 'ok', val: undefined } });
  });

  test('gives its trailers once, when the body is at its end, read or not', () => {
    const reader = guest.state().pipes.reader(1);
    const trailers = IncomingBody.finish(new IncomingBody(guest.border, reader));
    const { pipes } = guest.state();
    pipes.receive({ type: 'data', pipe: 1, chunk: Uint8Array.of(1, 2) });
    expect([trailers.get(), trailers.subscribe().ready()]).toEqual([undefined, false]);
    pipes.receive({ type: 'end', pipe: 1, trailers: [['sum', '7']] });
    expect(trailers.subscribe().ready()).toBe(true);
    const given = trailers.get();
    expect(given).toMatchObject({ tag: 'ok', val: { tag: 'ok', val: expect.any(Fields) } });
    expect(trailers.get()).toEqual({ tag: 'err', val: undefined });
  });

  test('that breaks off says so to who reads, and instead of trailers', () => {
    const { pipes } = guest.state();
    const body = new IncomingBody(guest.border, pipes.reader(1));
    const stream = body.stream();
    pipes.receive({ type: 'data', pipe: 1, chunk: Uint8Array.of(1) });
    pipes.receive({ type: 'abort', pipe: 1, error: { tag: 'connection-terminated' } });
    expect(stream.blockingRead(10n)).toEqual(Uint8Array.of(1));
    expect(thrown(() => stream.read(1n))).toMatchObject({
      tag: 'last-operation-failed',
      val: { reason: { tag: 'connection-terminated' } },
    });
    expect(IncomingBody.finish(body).get()).toEqual({
      tag: 'ok',
      val: { tag: 'err', val: { tag: 'connection-terminated' } },
    });
  });

  test('whose body was let go of leaves nobody waiting', () => {
    const body = new IncomingBody(guest.border, guest.state().pipes.reader(1));
    const stream = body.stream();
    body[Symbol.dispose]();
    expect(guest.border.sent).toEqual([{ type: 'stop', pipe: 1 }]);
    expect(thrown(() => stream.blockingRead(1n))).toHaveProperty('tag', 'last-operation-failed');
  });
});

describe('an outgoing body', () => {
  function headersWith(length: string): Fields {
    return Fields.fromList([['Content-Length', bytes(length)]]);
  }

  test('is given once, and its stream once', () => {
    const response = new OutgoingResponse(guest.border, new Fields());
    const body = response.body();
    expectRefusal(() => response.body());
    body.write();
    expectRefusal(() => body.write());
  });

  test.each(['', 'x', '-1', '1.5', '0x10', '1 2', '9'.repeat(16)])(
    'is refused where its length is to be %j',
    (length) => {
      expectRefusal(() => new OutgoingResponse(guest.border, headersWith(length)).body());
    },
  );

  test('is refused where its lengths differ, and given where they are one', () => {
    const two = headersWith('4');
    two.append('content-length', bytes('5'));
    expectRefusal(() => new OutgoingResponse(guest.border, two).body());
    const same = headersWith('4');
    same.append('content-length', bytes('4'));
    new OutgoingResponse(guest.border, same).body();
  });

  test('is held until its message is sent, up to a limit, and then goes out in one', () => {
    const body = new OutgoingBody(guest.border, undefined);
    const stream = body.write();
    expect(stream.checkWrite()).toBe(BigInt(PIPE_WINDOW));
    stream.blockingWriteAndFlush(Uint8Array.of(1, 2));
    stream.blockingWriteAndFlush(Uint8Array.of(3));
    expect(stream.checkWrite()).toBe(BigInt(PIPE_WINDOW - 3));
    stream.blockingWriteAndFlush(new Uint8Array(PIPE_WINDOW - 3));
    expect(stream.checkWrite()).toBe(0n);
    expect(guest.border.sent).toEqual([]);
    body.attach(guest.state().pipes.writer(2));
    const data = sentOf('data');
    expect(data.map(({ chunk }) => [chunk.length, ...chunk.subarray(0, 4)])).toEqual([[PIPE_WINDOW, 1, 2, 3, 0]]);
    expect(stream.checkWrite()).toBe(0n);
  });

  test('ends as it was told, though that was before its message was sent', () => {
    const body = new OutgoingBody(guest.border, undefined);
    OutgoingBody.finish(body, Fields.fromList([['sum', bytes('7')]]));
    body[Symbol.dispose]();
    body.attach(guest.state().pipes.writer(2));
    expect(guest.border.sent).toEqual([{ type: 'end', pipe: 2, trailers: [['sum', '7']] }]);
  });

  test('that is dropped is broken off', () => {
    const body = new OutgoingBody(guest.border, undefined);
    body.attach(guest.state().pipes.writer(2));
    const stream = body.write();
    body[Symbol.dispose]();
    expect(guest.border.sent).toEqual([{ type: 'abort', pipe: 2, error: { tag: 'HTTP-response-incomplete' } }]);
    expect(thrown(() => stream.checkWrite())).toEqual({ tag: 'closed' });
  });

  test.each([0, 3, 5])('of %d bytes instead of 4 is broken off, and says so', (length) => {
    const body = new OutgoingBody(guest.border, 4);
    body.attach(guest.state().pipes.writer(2));
    const stream = body.write();
    if (length < 4) stream.blockingWriteAndFlush(new Uint8Array(length));
    else {
      expect(thrown(() => stream.blockingWriteAndFlush(new Uint8Array(length)))).toMatchObject({
        tag: 'last-operation-failed',
      });
    }
    const error = { tag: 'HTTP-request-body-size', val: BigInt(length) };
    expect(thrown(() => OutgoingBody.finish(body, undefined))).toEqual(error);
    expect(guest.border.sent.at(-1)).toEqual({ type: 'abort', pipe: 2, error });
  });

  test('that nobody wants any more is closed', () => {
    const body = new OutgoingBody(guest.border, undefined);
    body.attach(guest.state().pipes.writer(2));
    const stream = body.write();
    guest.state().pipes.receive({ type: 'stop', pipe: 2 });
    expect(thrown(() => stream.blockingWriteAndFlush(Uint8Array.of(1)))).toEqual({ tag: 'closed' });
    OutgoingBody.finish(body, undefined);
  });
});

describe('an outgoing response', () => {
  test.each([0, 100, 101, 103, 199, 600, 65_535])('has no status %d', (status) => {
    const response = new OutgoingResponse(guest.border, new Fields());
    expectRefusal(() => response.setStatusCode(status));
    expect(response.statusCode()).toBe(200);
  });
});

describe('an outgoing request', () => {
  function send(change: (request: OutgoingRequest) => void, options?: RequestOptions): FutureIncomingResponse {
    const request = new OutgoingRequest(guest.border, new Fields());
    request.setAuthority('a.example:8080');
    change(request);
    const handle = createWasiHttpHandler(guest)['handle'];
    if (typeof handle !== 'function') throw new Error('no handle');
    const future: unknown = handle(request, options);
    if (!(future instanceof FutureIncomingResponse)) throw new Error('no future');
    return future;
  }

  test('goes out as it was made', () => {
    const options = new RequestOptions();
    options.setConnectTimeout(1n);
    options.setFirstByteTimeout(2_000_000n);
    options.setBetweenBytesTimeout(2n ** 64n - 1n);
    send((request) => {
      request.setMethod({ tag: 'other', val: 'PURGE' });
      request.setScheme({ tag: 'HTTP' });
      request.setPathWithQuery('/a?b=c');
    }, options);
    send(() => {});
    expect(sentOf('request')).toMatchObject([
      {
        request: { method: 'PURGE', scheme: 'http', authority: 'a.example:8080', pathWithQuery: '/a?b=c' },
        timeouts: { connectMs: 1, firstByteMs: 2, betweenBytesMs: 2 ** 31 - 1 },
        body: undefined,
      },
      {
        request: { method: 'GET', scheme: 'https', pathWithQuery: '/' },
        timeouts: { connectMs: undefined, firstByteMs: undefined, betweenBytesMs: undefined },
      },
    ]);
  });

  test.each<[string, (request: OutgoingRequest) => void]>([
    ['a method with a blank', (request) => request.setMethod({ tag: 'other', val: 'GET /x' })],
    ['an empty method', (request) => request.setMethod({ tag: 'other', val: '' })],
    ['a long method', (request) => request.setMethod({ tag: 'other', val: 'A'.repeat(1_025) })],
    ['a long path', (request) => request.setPathWithQuery('/'.repeat(65_537))],
    ['a long scheme', (request) => request.setScheme({ tag: 'other', val: 'a'.repeat(1_025) })],
    ['a long authority', (request) => request.setAuthority('a'.repeat(1_025))],
    ['a path with a line end', (request) => request.setPathWithQuery('/a\r\nX: y')],
    ['a path with a blank', (request) => request.setPathWithQuery('/a b')],
    ['a path with a fragment', (request) => request.setPathWithQuery('/a#b')],
    ['an authority with a path', (request) => request.setAuthority('a/b')],
    ['an authority with a blank', (request) => request.setAuthority('a b')],
    ['an empty authority', (request) => request.setAuthority('')],
    ['a scheme with a colon', (request) => request.setScheme({ tag: 'other', val: 'ftp:' })],
  ])('refuses %s', (_, change) => {
    expectRefusal(() => send(change));
    expect(guest.border.sent).toEqual([]);
  });

  test('is not sent where something is missing, or nothing speaks its scheme', () => {
    expect(thrown(() => send((request) => request.setAuthority(undefined)))).toEqual({
      tag: 'HTTP-request-URI-invalid',
    });
    expect(thrown(() => send((request) => request.setScheme({ tag: 'other', val: 'ftp' })))).toEqual({
      tag: 'HTTP-protocol-error',
    });
    expect(guest.border.sent).toEqual([]);
  });

  test('has an answer once it is there, and gives it once', () => {
    const future = send(() => {});
    const [{ id } = { id: 0 }] = sentOf('request');
    expect([future.get(), future.subscribe().ready()]).toEqual([undefined, false]);
    guest.state().receive({ type: 'response', id, response: { status: 204, headers: [] }, body: 1 });
    expect(future.subscribe().ready()).toBe(true);
    expect(future.get()).toMatchObject({ tag: 'ok', val: { tag: 'ok' } });
    expect(future.get()).toEqual({ tag: 'err', val: undefined });
    future[Symbol.dispose]();
    expect(sentOf('request-dropped')).toEqual([]);
  });

  test('that fails has an error instead', () => {
    const future = send(() => {});
    const [{ id } = { id: 0 }] = sentOf('request');
    guest.state().receive({ type: 'response-failed', id, error: { tag: 'connection-refused' } });
    expect(future.get()).toEqual({ tag: 'ok', val: { tag: 'err', val: { tag: 'connection-refused' } } });
  });

  test('whose answer is not wanted is given up', () => {
    send(() => {})[Symbol.dispose]();
    expect(sentOf('request-dropped')).toHaveLength(1);
  });
});

test('options hold what was set, and nothing before', () => {
  const options = new RequestOptions();
  expect([options.connectTimeout(), options.firstByteTimeout(), options.betweenBytesTimeout()]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  options.setConnectTimeout(0n);
  options.setConnectTimeout(undefined);
  options.setFirstByteTimeout(5n);
  expect([options.connectTimeout(), options.firstByteTimeout()]).toEqual([undefined, 5n]);
});
