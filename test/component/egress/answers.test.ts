import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { checkRequest } from '../../../src/component/egress/checked-request.ts';
import { exchange } from '../../../src/component/egress/exchange.ts';
import { toWireRequest } from '../../../src/component/egress/wire-request.ts';
import { createFakeClock, settle } from '../../fakes/clock.ts';
import { createArrivals } from '../../support/arrivals.ts';
import { type EgressWorldOptions, openEgressWorld, PLAIN_REQUEST, readAnswer } from '../../support/egress.ts';
import { type RawFarSide, startFarSide, startRawFarSide } from '../../support/far-side.ts';

type Ask = { world: ReturnType<typeof openEgressWorld>; authority: string };

function facing(port: number, options: EgressWorldOptions = {}): Ask {
  const authority = `127.0.0.1:${port}`;
  return { authority, world: openEgressWorld({ policy: `egress: ['http://${authority}']`, ...options }) };
}

/** A far side that sends these bytes and closes, or keeps the connection open. */
async function saying(
  bytes: string | Buffer,
  then: 'close' | 'stay' = 'close',
): Promise<Ask & { farSide: RawFarSide }> {
  const farSide = await startRawFarSide((socket) => {
    if (then === 'close') socket.end(bytes, 'latin1');
    else socket.write(bytes, 'latin1');
  });
  return { farSide, ...facing(farSide.port) };
}

describe('answers', () => {
  test('come with their headers as they are, but for those about the connection', async () => {
    const { world, authority } = await saying(
      'HTTP/1.1 201 Made\r\nX-B: 1\r\nConnection: close, X-B\r\nKeep-Alive: timeout=5\r\nx-b: caf\xc3\xa9 \xff\r\n' +
        'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nTrailer: X\r\nContent-Length: 2\r\n\r\nhi',
    );
    expect(await world.send({ authority })).toEqual({
      status: 201,
      headers: [
        ['x-b', '1'],
        ['x-b', 'caf\xc3\xa9 \xff'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['content-length', '2'],
      ],
      text: 'hi',
      trailers: undefined,
    });
  });

  test('come with more headers than Node counts', async () => {
    const many = Array.from({ length: 2_500 }, (_, index) => `x-${index}: v\r\n`).join('');
    const { world, authority } = await saying(`HTTP/1.1 200 OK\r\n${many}Content-Length: 0\r\n\r\n`);
    expect((await world.send({ authority })).headers).toHaveLength(2_501);
  });

  test('come in chunks, with trailers', async () => {
    const { world, authority } = await saying(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: abc\r\nConnection: x\r\n\r\n',
    );
    const answer = await world.send({ authority });
    expect(answer).toMatchObject({ headers: [], text: 'hello', trailers: [['x-sum', 'abc']] });
  });

  test('may end where the connection does', async () => {
    const { world, authority } = await saying('HTTP/1.1 200 OK\r\n\r\nhello');
    expect(await world.send({ authority })).toMatchObject({ text: 'hello' });
  });

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n'],
  ])('to %s have no body where they have none: %j', async (method, bytes) => {
    const { world, authority } = await saying(bytes, 'stay');
    expect(await world.send({ authority, method })).toMatchObject({ text: '' });
  });

  test('come after those that only inform', async () => {
    const { world, authority } = await saying(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    );
    expect(await world.send({ authority })).toMatchObject({
      status: 200,
      headers: [['content-length', '2']],
      text: 'hi',
    });
  });

  test('are not decompressed', async () => {
    const zipped = gzipSync('hello');
    const farSide = await startFarSide();
    farSide.answer = (_, response) => void response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(zipped);
    const { world, authority } = facing(farSide.port);
    const { headers, body } = await world.open({ authority });
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    expect(Buffer.concat(chunks)).toEqual(zipped);
    expect(headers.map(([name]) => name)).toContain('Content-Encoding');
  });

  test('come as they are made, while the request is still under way', async () => {
    const server = createServer((request, response) => void request.pipe(response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const { world, authority } = facing(address.port);
    const words = createArrivals<string>();
    async function* conversation(): AsyncGenerator<Uint8Array, void> {
      for (;;) {
        const text = await words.next();
        if (text === '') return;
        yield Buffer.from(text);
      }
    }
    const opened = world.open({ authority, method: 'POST', body: conversation() });
    await once(server, 'request');
    words.push('one');
    const response = await opened;
    const heard: string[] = [];
    for await (const chunk of response.body) {
      heard.push(Buffer.from(chunk).toString());
      words.push(heard.length === 1 ? 'two' : '');
    }
    expect(heard).toEqual(['one', 'two']);
    server.close();
  });

  test('to a request whose body is not wanted end it', async () => {
    const { world, authority } = await saying('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
    async function* endless(): AsyncGenerator<Uint8Array, void> {
      for (;;) {
        await settle();
        yield Buffer.alloc(1024);
      }
    }
    expect(await world.send({ authority, method: 'POST', body: endless() })).toMatchObject({ status: 413, text: 'no' });
  });

  test('are read no faster than somebody asks for them', async () => {
    let written = 0;
    const farSide = await startRawFarSide((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024))) written += 1;
        socket.once('drain', more);
      };
      more();
    });
    const { world, authority } = facing(farSide.port);
    const { body } = await world.open({ authority });
    const before = await standsStill(() => written);
    let read = 0;
    for await (const chunk of body) {
      read += chunk.length;
      if (read > 64 * 1024 * 1024) break;
    }
    // What the buffers of the system take, on both sides, is far below what is sent to somebody who reads.
    expect(before * 64 * 1024).toBeLessThan(16 * 1024 * 1024);
    expect(written * 64 * 1024).toBeGreaterThan(48 * 1024 * 1024);
    await farSide.closed;
  });
});

describe('answers that are none', () => {
  test.each([
    ['closed without a byte', '', { tag: 'connection-terminated' }],
    ['closed in the status line', 'HTTP/1.1 20', { tag: 'connection-terminated' }],
    ['closed in the head', 'HTTP/1.1 200 OK\r\nX-A: b\r\n', { tag: 'connection-terminated' }],
    ['something else than HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', { tag: 'HTTP-protocol-error' }],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    ['a request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    [
      'Content-Length and Transfer-Encoding',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      { tag: 'HTTP-protocol-error' },
    ],
    [
      'Transfer-Encoding and Content-Length',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
      { tag: 'HTTP-protocol-error' },
    ],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
      { tag: 'HTTP-protocol-error' },
    ],
    [
      'a length that is no number',
      'HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello',
      { tag: 'HTTP-protocol-error' },
    ],
    ['a length below 0', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello', { tag: 'HTTP-protocol-error' }],
    [
      'a header folded over lines',
      'HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n',
      { tag: 'HTTP-protocol-error' },
    ],
    [
      'a blank before the colon',
      'HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n',
      { tag: 'HTTP-protocol-error' },
    ],
    ['a NUL in a header', 'HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 0\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    ['a bare line feed', 'HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    [
      'a coding that nobody asked for',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx',
      { tag: 'HTTP-response-transfer-coding', val: 'gzip' },
    ],
    [
      'a coding before the chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      { tag: 'HTTP-response-transfer-coding', val: 'gzip, chunked' },
    ],
    [
      'chunked twice',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      { tag: 'HTTP-response-transfer-coding', val: 'chunked, chunked' },
    ],
    [
      'another protocol',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz',
      { tag: 'HTTP-upgrade-failed' },
    ],
    [
      'a head without end',
      `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(70_000)}`,
      { tag: 'HTTP-response-header-section-size', val: undefined },
    ],
    [
      'a status line without end',
      `HTTP/1.1 200 ${'a'.repeat(70_000)}`,
      { tag: 'HTTP-response-header-section-size', val: undefined },
    ],
    ['a body cut short', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', { tag: 'HTTP-response-incomplete' }],
    [
      'chunks cut short',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      { tag: 'HTTP-response-incomplete' },
    ],
    [
      'trailers cut short',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n',
      { tag: 'HTTP-response-incomplete' },
    ],
    [
      'a chunk size that is no number',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5x\r\nhello\r\n0\r\n\r\n',
      { tag: 'HTTP-protocol-error' },
    ],
    [
      'a chunk longer than its size',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n',
      { tag: 'HTTP-protocol-error' },
    ],
    [
      'a chunk size beyond all numbers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n',
      { tag: 'HTTP-protocol-error' },
    ],
    [
      'trailers without end',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: ${'a'.repeat(70_000)}\r\n\r\n`,
      { tag: 'HTTP-response-trailer-section-size', val: undefined },
    ],
  ])('%s', async (_, bytes, errorCode) => {
    const { farSide, world, authority } = await saying(bytes);
    expect(await world.refusal({ authority })).toEqual(errorCode);
    await farSide.closed;
  });

  test('what follows an answer is nobody`s answer', async () => {
    const { farSide, world, authority } = await saying(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    );
    expect(await world.send({ authority })).toMatchObject({ text: 'hi' });
    expect(await world.send({ authority })).toMatchObject({ text: 'hi' });
    expect(farSide.connections).toBe(2);
  });

  test('chunk extensions without end are no answer', async () => {
    const { world, authority } = await saying(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;${'a'.repeat(200_000)}\r\nhello\r\n0\r\n\r\n`,
    );
    expect(await world.refusal({ authority })).toEqual({ tag: 'HTTP-protocol-error' });
  });
});

describe('time', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';

  test.each([
    ['no answer', 'HTTP-response-timeout', '', undefined, 30_000],
    ['no answer, in the time that the component says', 'HTTP-response-timeout', '', 700, 700],
    ['nothing but information', 'HTTP-response-timeout', 'HTTP/1.1 100 Continue\r\n\r\n', undefined, 30_000],
    ['a head that does not end', 'HTTP-response-timeout', 'HTTP/1.1 200 OK\r\nX-A', undefined, 30_000],
  ])('%s ends as %s', async (_, tag, bytes, firstByteTimeoutMs, ms) => {
    const clock = createFakeClock();
    const arrivals = createArrivals<Socket>();
    const farSide = await startRawFarSide((socket) => {
      socket.write(bytes);
      arrivals.push(socket);
    });
    const { world, authority } = facing(farSide.port, { clock });
    const refusal = world.refusal({ authority, firstByteTimeoutMs });
    await arrivals.next();
    await clock.waitForTimers(1);
    await clock.advance(ms - 1);
    expect(clock.timers).toBe(1);
    await clock.advance(1);
    expect(await refusal).toEqual({ tag });
    await farSide.closed;
    expect(clock.timers).toBe(0);
  });

  test.each([
    [undefined, 30_000],
    [200, 200],
  ])('a body that does not go on ends after %s', async (betweenBytesTimeoutMs, ms) => {
    const clock = createFakeClock();
    const farSide = await startRawFarSide((socket) => void socket.write(`${HEAD}hello`));
    const { world, authority } = facing(farSide.port, { clock });
    const response = await world.open({ authority, betweenBytesTimeoutMs });
    const read = readAnswer(response);
    const refused = expect(read).rejects.toMatchObject({ errorCode: { tag: 'connection-read-timeout' } });
    await clock.waitForTimers(1);
    await settle();
    await clock.advance(ms);
    await clock.advance(ms);
    await refused;
    await expect(response.trailers()).rejects.toMatchObject({ errorCode: { tag: 'connection-read-timeout' } });
    await farSide.closed;
    expect(clock.timers).toBe(0);
  });

  test('a reader who takes time is not the far side`s fault', async () => {
    const clock = createFakeClock();
    const farSide = await startRawFarSide((socket) => void socket.end(`${HEAD}helloworld`));
    const { world, authority } = facing(farSide.port, { clock });
    const response = await world.open({ authority });
    await clock.advance(3_600_000);
    expect(await readAnswer(response)).toMatchObject({ text: 'helloworld' });
  });

  test('a component that takes time for its body is not the far side`s fault', async () => {
    const clock = createFakeClock();
    const farSide = await startFarSide();
    const { world, authority } = facing(farSide.port, { clock });
    const parts = createArrivals<string>();
    async function* slow(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from('a');
      yield Buffer.from(await parts.next());
    }
    const answer = world.send({ authority, method: 'POST', body: slow() });
    await clock.waitForTimers(1);
    await clock.advance(5_000);
    await settle();
    await clock.advance(3_600_000);
    parts.push('b');
    expect(await answer).toMatchObject({ status: 200 });
    expect(farSide.arrived).toMatchObject([{ body: 'ab' }]);
  });
});

describe('a request that is aborted', () => {
  const reason = new Error('the component is gone');

  test('before it is sent is not sent', async () => {
    const farSide = await startFarSide();
    const { world, authority } = facing(farSide.port);
    await expect(world.open({ authority }, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(farSide.connections).toBe(0);
  });

  test('in the moment in which the connection is there closes it', async () => {
    const farSide = await startRawFarSide(() => {});
    const socket = connect(farSide.port, '127.0.0.1');
    await once(socket, 'connect');
    const wire = toWireRequest(checkRequest({ ...PLAIN_REQUEST, authority: `127.0.0.1:${farSide.port}` }));
    const limits = { clock: systemClock, firstByteTimeoutMs: 30_000, betweenBytesTimeoutMs: 30_000 };
    await expect(exchange(socket, wire, limits, AbortSignal.abort(reason))).rejects.toBe(reason);
    await farSide.closed;
    expect(farSide.received).toBe('');
  });

  test('while it waits for the answer closes the connection', async () => {
    const abort = new AbortController();
    const farSide = await startRawFarSide(() => abort.abort(reason));
    const { world, authority } = facing(farSide.port);
    await expect(world.open({ authority }, abort.signal)).rejects.toBe(reason);
    await farSide.closed;
  });

  test('in the middle of its body closes the connection', async () => {
    const abort = new AbortController();
    const farSide = await startRawFarSide(() => {}, 'never');
    const { world, authority } = facing(farSide.port);
    async function* half(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from('a');
      abort.abort(reason);
      yield Buffer.from('b');
    }
    await expect(world.open({ authority, method: 'POST', body: half() }, abort.signal)).rejects.toBe(reason);
    await farSide.closed;
    expect(farSide.received).not.toContain('b\r\n');
  });

  test('in the middle of the answer closes the connection, and tells the reader', async () => {
    const abort = new AbortController();
    const { farSide, world, authority } = await saying('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'stay');
    const response = await world.open({ authority }, abort.signal);
    const read = expect(readAnswer(response)).rejects.toBe(reason);
    await settle();
    abort.abort(reason);
    await read;
    await expect(response.trailers()).rejects.toBe(reason);
    await farSide.closed;
  });

  test('with an answer that nobody reads closes the connection', async () => {
    const abort = new AbortController();
    const { farSide, world, authority } = await saying('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'stay');
    await world.open({ authority }, abort.signal);
    abort.abort(reason);
    await farSide.closed;
  });
});

test('an answer that is given up in the middle closes the connection', async () => {
  const { farSide, world, authority } = await saying('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'stay');
  const response = await world.open({ authority });
  for await (const _ of response.body) break;
  await farSide.closed;
  await expect(response.trailers()).rejects.toMatchObject({ errorCode: { tag: 'HTTP-response-incomplete' } });
});

/** What `look` sees once it has seen the same for a while: nobody says when a system's buffers are full. */
async function standsStill(look: () => number): Promise<number> {
  for (let last = -1, still = 0; ; ) {
    const seen = look();
    still = seen === last ? still + 1 : 0;
    if (still >= 20) return seen;
    last = seen;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
