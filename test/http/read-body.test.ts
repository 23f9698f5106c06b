import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readBody } from '../../src/http/read-body.ts';
import { settle } from '../fakes/clock.ts';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';

const MAX_BYTES = 1000;

/** What became of one body: its bytes, `too large`, or the error. */
type Outcome = Buffer | 'too large' | Error;

interface Reader {
  readonly outcomes: Arrivals<Outcome>;
  /** The requests, as soon as their heads are there. */
  readonly requests: Arrivals<IncomingMessage>;
  connect(): Promise<Socket>;
}

/** A server that reads the body of each request and answers `read` or `413`, or hangs up where there is nothing to say. */
async function startReader(): Promise<Reader> {
  const outcomes = createArrivals<Outcome>();
  const requests = createArrivals<IncomingMessage>();
  const server = createServer((request, response) => {
    requests.push(request);
    void readBody(request, MAX_BYTES).then(
      (body) => {
        outcomes.push(body ?? 'too large');
        answer(response, body);
      },
      (error: Error) => outcomes.push(error),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return {
    outcomes,
    requests,
    async connect() {
      const socket = connect(address.port, '127.0.0.1');
      onTestFinished(() => void socket.destroy());
      socket.on('error', () => {});
      await once(socket, 'connect');
      return socket;
    },
  };
}

function answer(response: ServerResponse, body: Buffer | undefined): void {
  response.writeHead(body === undefined ? 413 : 200).end(body === undefined ? 'too large' : 'read');
}

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

function withLength(length: number): string {
  return `${HEAD}Content-Length: ${length}\r\n\r\n`;
}

/** One chunk of a body (RFC 9112 section 7.1). */
function chunk(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

const LAST_CHUNK = '0\r\n\r\n';

/** Everything that comes, up to this text. */
async function received(socket: Socket, text: string): Promise<string> {
  let all = '';
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    all += String(bytes);
    if (all.includes(text)) return all;
  }
  throw new Error(`the connection ended before ${text}: ${all}`);
}

describe('a body is read', () => {
  test.each([
    ['none, where nothing is said of one', `${HEAD}\r\n`, ''],
    ['none, where its length is 0', withLength(0), ''],
    ['none, where it ends with its first chunk', `${CHUNKED}${LAST_CHUNK}`, ''],
    ['of one byte', `${withLength(1)}x`, 'x'],
    ['of as many bytes as allowed', withLength(MAX_BYTES) + 'x'.repeat(MAX_BYTES), 'x'.repeat(MAX_BYTES)],
    [
      'of as many bytes as allowed, in chunks',
      `${CHUNKED}${chunk(Buffer.alloc(MAX_BYTES, 'x'))}${LAST_CHUNK}`,
      'x'.repeat(MAX_BYTES),
    ],
  ])('%s', async (_, request, expected) => {
    const { outcomes, connect } = await startReader();
    const socket = await connect();
    socket.write(request);
    expect(String(await outcomes.next())).toBe(expected);
    expect(await received(socket, 'read')).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('byte by byte, whatever the bytes and wherever the packets and chunks end', async () => {
    const { outcomes, connect } = await startReader();
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.boolean(), async (parts, chunked) => {
        const socket = (await connect()).setNoDelay(true);
        const body = Buffer.concat(parts);
        socket.write(chunked ? CHUNKED : withLength(body.length));
        for (const part of parts) {
          socket.write(chunked ? chunk(part) : part);
          await settle();
        }
        if (chunked) socket.write(LAST_CHUNK);
        expect(await outcomes.next()).toEqual(body);
        socket.destroy();
      }),
      { numRuns: 40 },
    );
  });

  test('of a thousand chunks of one byte', async () => {
    const { outcomes, connect } = await startReader();
    const socket = await connect();
    const bytes = Array.from({ length: MAX_BYTES }, (_, index) => index % 256);
    socket.write(CHUNKED);
    for (const byte of bytes) socket.write(chunk(Buffer.of(byte)));
    socket.write(LAST_CHUNK);
    expect(await outcomes.next()).toEqual(Buffer.from(bytes));
  });

  test('by its bytes, not by its characters', async () => {
    const { outcomes, connect } = await startReader();
    const text = '🌍'.repeat(250);
    (await connect()).write(`${withLength(1000)}${text}`);
    expect(String(await outcomes.next())).toBe(text);
    const more = await connect();
    more.write(CHUNKED);
    more.write(chunk(Buffer.from(`${text}x`)));
    expect(await outcomes.next()).toBe('too large');
  });
});

describe('a body that is too large is given up', () => {
  test.each([MAX_BYTES + 1, 1_000_000_000, Number.MAX_SAFE_INTEGER])(
    'before any of it is there, where it is said to have %d bytes',
    async (length) => {
      const { outcomes, connect } = await startReader();
      const socket = await connect();
      socket.write(withLength(length));
      expect(await outcomes.next()).toBe('too large');
      expect(await received(socket, 'too large')).toMatch(/^HTTP\/1\.1 413 /);
    },
  );

  test('with the first byte too many, where nothing is said of its length', async () => {
    const { outcomes, requests, connect } = await startReader();
    const socket = await connect();
    socket.write(`${CHUNKED}${chunk(Buffer.alloc(MAX_BYTES))}`);
    await requests.next();
    await settle();
    expect(outcomes.all).toEqual([]);
    socket.write(chunk(Buffer.of(0)));
    expect(await outcomes.next()).toBe('too large');
    expect(await received(socket, 'too large')).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('once, and what still arrives of it is dropped: the connection serves the next request', async () => {
    const { outcomes, connect } = await startReader();
    const socket = await connect();
    // More than all buffers on the way hold.
    for (let part = 0; part < 50; part += 1) {
      socket.write(part === 0 ? CHUNKED : chunk(Buffer.alloc(100_000)));
    }
    socket.write(LAST_CHUNK);
    socket.write(`${withLength(4)}next`);
    const answers = await received(socket, 'read');
    expect(answers).toMatch(/^HTTP\/1\.1 413 [\s\S]*HTTP\/1\.1 200 /);
    expect(outcomes.all.map(String)).toEqual(['too large', 'next']);
  });

  test('also when the client goes away in the middle of it', async () => {
    const { outcomes, requests, connect } = await startReader();
    const client = await connect();
    client.write(`${CHUNKED}${chunk(Buffer.alloc(MAX_BYTES + 1))}`);
    expect(await outcomes.next()).toBe('too large');
    const { socket } = await requests.next();
    // A reset or an end in good order: which of them it is does not matter.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    client.destroy();
    await closed;
    await settle();
    expect(outcomes.all).toEqual(['too large']);
  });
});

describe('a body that does not arrive is an error', () => {
  test.each([
    ['before its first byte', withLength(100)],
    ['in the middle', `${withLength(100)}half`],
    ['one byte before its end', withLength(100) + 'x'.repeat(99)],
    ['between two chunks', `${CHUNKED}${chunk(Buffer.from('half'))}`],
    ['within a chunk', `${CHUNKED}64\r\nhalf`],
    ['before its last chunk, which is empty', `${CHUNKED}${chunk(Buffer.from('whole'))}0\r\n`],
  ])('when the client goes away %s', async (_, sent) => {
    const { outcomes, requests, connect } = await startReader();
    const socket = await connect();
    socket.write(sent);
    await requests.next();
    socket.destroy();
    expect(await outcomes.next()).toMatchObject({ message: 'aborted', code: 'ECONNRESET' });
    expect(outcomes.all).toHaveLength(1);
  });

  test('when the server itself cuts it off', async () => {
    const { outcomes, requests, connect } = await startReader();
    (await connect()).write(`${withLength(100)}half`);
    (await requests.next()).destroy();
    expect(await outcomes.next()).toMatchObject({ message: 'the body broke off' });
    expect(outcomes.all).toHaveLength(1);
  });

  test.each([
    ['a chunk has no length', `${CHUNKED}half\r\n`],
    ['a chunk is longer than it says', `${CHUNKED}4\r\nhalf and more\r\n${LAST_CHUNK}`],
  ])('when %s', async (_, sent) => {
    const { outcomes, connect } = await startReader();
    (await connect()).write(sent);
    expect(await outcomes.next()).toBeInstanceOf(Error);
    expect(outcomes.all).toHaveLength(1);
  });

  test('and takes nothing from who comes next', async () => {
    const { outcomes, requests, connect } = await startReader();
    const broken = await connect();
    broken.write(`${withLength(100)}half`);
    await requests.next();
    broken.destroy();
    expect(await outcomes.next()).toBeInstanceOf(Error);
    (await connect()).write(`${withLength(4)}next`);
    expect(String(await outcomes.next())).toBe('next');
  });
});
