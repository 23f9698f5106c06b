import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { createBrokerApp } from '../../src/http/broker-app.ts';
import { createFakeBroker, type FakeBroker } from '../fakes/broker.ts';
import { settle } from '../fakes/clock.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { ask, askRaw } from '../support/http.ts';
import { serveOnPrivateSocket } from '../support/private-socket.ts';

interface App {
  readonly broker: FakeBroker;
  readonly log: MemoryLog;
  readonly url: string;
  readonly path: string;
  /** Resolves when the first request is over, however it ended. */
  readonly requestClosed: Promise<unknown>;
  /** Posts to `/v1/token` and gives what the answer says. */
  post(body: unknown, headers?: Record<string, string>): Promise<{ status: number; code?: string; message?: string }>;
}

async function startApp(): Promise<App> {
  const broker = createFakeBroker();
  const log = createMemoryLog();
  const app = createBrokerApp({ broker, logger: log.logger });
  let closed = (): void => {};
  const requestClosed = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const { path, url } = await serveOnPrivateSocket((request, response) => {
    request.once('close', closed);
    app(request, response);
  });
  return {
    broker,
    log,
    url,
    path,
    requestClosed,
    async post(body, headers = { 'Content-Type': 'application/json' }) {
      const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
      const { status, text } = await ask(url, { method: 'POST', path: '/v1/token', headers, body: bytes });
      return { status, ...JSON.parse(text) };
    },
  };
}

/** That the app refuses this with 400, and that neither broker nor log saw anything of it. */
async function expectRefused(app: App, body: unknown, message: string | RegExp, headers?: Record<string, string>) {
  const answer = await app.post(body, headers);
  expect(answer).toMatchObject({ status: 400, code: 'request_invalid' });
  if (typeof message === 'string') expect(answer.message).toBe(message);
  else expect(answer.message).toMatch(message);
  expect(app.broker.asked).toEqual([]);
  expect(app.log.lines).toEqual([]);
}

/** One chunk of a body (RFC 9112 section 7.1). */
function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

const GOOD = { component: 'api', audience: ['a'] };

describe('the content type', () => {
  const good = [
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/json;charset=UTF-8',
  ];

  test.each(good)('%s is read', async (type) => {
    expect(await (await startApp()).post(GOOD, { 'Content-Type': type })).toMatchObject({ status: 200 });
  });

  const bad = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonx',
    'application/vnd.api+json',
    'json',
    '',
  ];

  test.each(bad)('%j is refused, so that no web page can make a browser send it', async (type) => {
    const expected = 'expected a body of application/json';
    await expectRefused(await startApp(), GOOD, expected, { 'Content-Type': type });
  });

  test('none is refused', async () => {
    await expectRefused(await startApp(), GOOD, 'expected a body of application/json', {});
  });
});

describe('the form of the body', () => {
  const malformed = [
    '{',
    '{"component":"SECRET-1"',
    "{'a':1}",
    '{"component":"SECRET-1",}',
    'SECRET-1',
    '\u0000',
    '[1',
    'NaN',
  ];

  test.each(malformed)('%j is refused, and the message does not quote it', async (body) => {
    await expectRefused(await startApp(), body, 'the body cannot be read as JSON');
  });

  test.each(['null', '1', 'true', '"SECRET-1"', '[]', '[{"component":"api"}]'])('%s is refused', async (body) => {
    await expectRefused(await startApp(), body, /^body: Invalid input: expected object/);
  });

  test('no body at all is refused', async () => {
    const app = await startApp();
    await expectRefused(app, '', 'the body cannot be read as JSON');
    const head = 'POST /v1/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n';
    expect(await askRaw(app.url, head)).toMatch(/^HTTP\/1\.1 400 /);
    expect(app.broker.asked).toEqual([]);
  });

  test('bytes that are not UTF-8 are refused, not replaced: two names must not become one', async () => {
    const [start, end] = [Buffer.from('{"component":"ap'), Buffer.from('i","audience":["a"]}')];
    for (const bytes of [[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]]) {
      const body = Buffer.concat([start, Buffer.from(bytes), end]);
      await expectRefused(await startApp(), body, 'the body cannot be read as JSON');
    }
  });

  test('UTF-8 is read as such, and a byte order mark is not JSON (RFC 8259 section 8.1)', async () => {
    const app = await startApp();
    const body = Buffer.from(JSON.stringify({ component: 'äpi-東京-🌍', audience: ['ü'] }));
    app.broker.failure = new SvidxError('policy_denied', 'here only the name matters');
    expect(await app.post(body)).toMatchObject({ status: 403 });
    expect(app.broker.asked.map(({ caller }) => caller.component)).toEqual(['äpi-東京-🌍']);
    expect(await app.post(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]))).toMatchObject({ status: 400 });
  });

  test('a compressed body is refused: nobody needs one, and it could hold a thousand times its size', async () => {
    const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' };
    await expectRefused(await startApp(), gzipSync(JSON.stringify(GOOD)), 'the body cannot be read as JSON', headers);
  });

  test('anything else is refused or understood, and never an internal error', async () => {
    const app = await startApp();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json(), fc.string({ unit: 'binary' })),
        async (body) => {
          const { status } = await app.post(body);
          expect([200, 400]).toContain(status);
        },
      ),
      { numRuns: 100 },
    );
    expect(app.log.lines).toEqual([]);
  });
});

describe('the size of the body', () => {
  /** A good request of exactly this many bytes. */
  const ofSize = (size: number): string => {
    const text = JSON.stringify(GOOD);
    return text + ' '.repeat(size - text.length);
  };

  test('16 KiB is read, and one byte more is 413', async () => {
    const app = await startApp();
    expect(await app.post(ofSize(16_384))).toMatchObject({ status: 200 });
    expect(await app.post(ofSize(16_385))).toEqual({
      status: 413,
      code: 'request_too_large',
      message: 'the body is over 16384 bytes',
    });
    expect(app.broker.asked).toHaveLength(1);
  });

  test('a length that says too much is refused before anything of the body is there', async () => {
    const { url } = await startApp();
    const head = 'POST /v1/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n';
    expect(await askRaw(url, `${head}Content-Length: 1000000000\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('in chunks too, 16 KiB is read, and one byte more is 413', async () => {
    const { url, broker } = await startApp();
    const head = 'POST /v1/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n';
    const inChunks = (body: string): string =>
      `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(body.slice(0, 9_000))}${chunk(body.slice(9_000))}0\r\n\r\n`;
    expect(await askRaw(url, inChunks(ofSize(16_384)))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await askRaw(url, inChunks(ofSize(16_385)))).toMatch(/^HTTP\/1\.1 413 /);
    expect(broker.asked).toHaveLength(1);
  });

  test('after a body that was too large the connection still serves', async () => {
    const { url, broker } = await startApp();
    const head = 'POST /v1/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
    const good = `${head}Connection: close\r\nContent-Length: ${ofSize(100).length}\r\n\r\n${ofSize(100)}`;
    // Large enough to fill every buffer on the way.
    const spaces = ' '.repeat(2_000_000);
    const large = [
      `${head}Content-Length: ${spaces.length}\r\n\r\n${spaces}`,
      `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(spaces)}0\r\n\r\n`,
    ];
    for (const request of large) {
      expect(await askRaw(url, request + good)).toMatch(/^HTTP\/1\.1 413 [\s\S]*HTTP\/1\.1 200 OK/);
    }
    expect(broker.asked).toHaveLength(2);
  });

  test("a client that hangs up in the middle of its body is nobody's error", async () => {
    const { log, broker, path, requestClosed } = await startApp();
    const socket = connect(path);
    socket.write(
      'POST /v1/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"co',
    );
    await once(socket, 'connect');
    socket.end();
    await requestClosed;
    await settle();
    expect(log.lines).toEqual([]);
    expect(broker.asked).toEqual([]);
  });
});

describe('the keys of the body', () => {
  const refused: readonly (readonly [string, unknown, string | RegExp])[] = [
    ['an unknown key', { ...GOOD, extra: 1 }, 'body: Unrecognized key: "extra"'],
    ['the key of the other request', { ...GOOD, grant: 'g' }, 'body: Unrecognized key: "grant"'],
    ['a key in another case', { Component: 'api', audience: ['a'] }, /^component: /],
    ['no component', { audience: ['a'] }, /^component: /],
    ['an empty component', { component: '', audience: ['a'] }, /^component: /],
    ['a component that is a number', { component: 1, audience: ['a'] }, /^component: .*expected string/],
    ['a component that is a list', { component: ['api'], audience: ['a'] }, /^component: .*expected string/],
    ['a component that is null', { component: null, audience: ['a'] }, /^component: .*expected string/],
    ['a component of 2049 characters', { component: 'x'.repeat(2049), audience: ['a'] }, /^component: /],
    ['no audience', { component: 'api' }, /^audience: /],
    ['an audience that is a text', { component: 'api', audience: 'a' }, /^audience: .*expected array/],
    ['no entry in the audience', { component: 'api', audience: [] }, /^audience: /],
    ['an empty audience', { component: 'api', audience: ['a', ''] }, /^audience\.1: /],
    ['an audience that is a number', { component: 'api', audience: [1] }, /^audience\.0: .*expected string/],
    ['101 audiences', { component: 'api', audience: Array.from({ length: 101 }, String) }, /^audience: /],
    ['a digest that is none', { ...GOOD, digest: 'sha256:00' }, 'digest: expected "sha256:" and 64 hexadecimal digits'],
    ['a digest in upper case', { ...GOOD, digest: `sha256:${'A'.repeat(64)}` }, /^digest: /],
    ['a digest that is null', { ...GOOD, digest: null }, /^digest: /],
  ];

  test.each(refused)('%s is refused', async (_, body, message) => {
    await expectRefused(await startApp(), body, message);
  });

  test('what was sent as a value is not in the message', async () => {
    const app = await startApp();
    for (const body of [
      { component: { a: 'SECRET-1' }, audience: ['a'] },
      { component: 'api', audience: [{ a: 'SECRET-1' }] },
      { ...GOOD, digest: 'SECRET-1' },
    ]) {
      expect((await app.post(body)).message).not.toContain('SECRET-1');
    }
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'an unknown key %s is refused too',
    async (key) => {
      await expectRefused(
        await startApp(),
        `{"component":"api","audience":["a"],"${key}":{"component":"x"}}`,
        /Unrecognized/,
      );
    },
  );

  test('of a key that is written twice the last one counts, for the policy as for the audit', async () => {
    const app = await startApp();
    await app.post('{"component":"ledger","component":"api","audience":["a"]}');
    expect(app.broker.asked.map(({ caller }) => caller.component)).toEqual(['api']);
  });

  test.each(['../../etc/passwd', '__proto__', 'a\nb', '\u0000', "'; DROP TABLE", '%2e%2e', '\u202eipa', ' api '])(
    'the name %j reaches the broker as it is: the policy compares it, and nothing else is done with it',
    async (component) => {
      const app = await startApp();
      app.broker.failure = new SvidxError('policy_denied', 'here only the name matters');
      await app.post({ component, audience: ['a'] });
      expect(app.broker.asked.map(({ caller }) => caller.component)).toEqual([component]);
    },
  );
});
