import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EgressError } from '../../src/component/egress/error-code.ts';
import type { OutgoingRequest } from '../../src/component/egress/outgoing-request.ts';
import { httpWorkbench } from '../fakes/http-handler.ts';
import { type ComponentFront, startFront } from '../support/component-front.ts';
import { createTestHost, NO_EGRESS, UPSTREAM } from '../support/components.ts';
import { ask, askRaw } from '../support/http.ts';

/** Where the component's own requests go, as a test says. */
let upstream = NO_EGRESS.send;
const { host, load, written } = createTestHost({
  limits: { instances: 2 },
  rights: UPSTREAM,
  egress: { send: (...question) => upstream(...question) },
});
let front: ComponentFront;

beforeAll(async () => {
  front = await startFront('workbench', await load('workbench', await httpWorkbench()));
});
beforeEach(() => {
  upstream = NO_EGRESS.send;
  front.log.lines.length = 0;
  written.length = 0;
});
afterAll(async () => {
  await host.close();
  await front.close();
});

/** What follows the first head, its chunks put together. */
function contentOf(answer: string): string {
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  const text = rest.join('\r\n\r\n');
  return /chunked/.test(head) ? text.replace(/[0-9a-f]+\r\n(.*?)\r\n/gs, '$1').trimEnd() : text;
}

function get(path: string): ReturnType<typeof ask> {
  return ask(front.url, { path });
}

/** Sends lines as they are, on a connection that ends with the answer. */
function raw(...lines: readonly string[]): Promise<string> {
  return askRaw(front.url, Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
}

const CLOSE = ['Host: a', 'Connection: close'];

test('a body in a coding that nobody takes off is refused', async () => {
  for (const coding of ['gzip, chunked', 'GZIP, chunked', 'chunked, chunked']) {
    const answer = await raw('POST /plain HTTP/1.1', ...CLOSE, `Transfer-Encoding: ${coding}`, '', '0');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  }
  const plain = await raw('POST /plain HTTP/1.1', ...CLOSE, 'Transfer-Encoding: Chunked', '', '0');
  expect(plain).toMatch(/^HTTP\/1\.1 200 /);
});

describe('an answer', () => {
  test('that is short has its length, whatever the component said of it', async () => {
    for (const path of ['/plain', '/just-right', '/two-lengths']) {
      const { status, headers, text } = await get(path);
      expect([status, headers['content-length'], headers['transfer-encoding'], text]).toEqual([
        200,
        '4',
        undefined,
        'part',
      ]);
    }
    expect(await get('/empty')).toMatchObject({ status: 200, headers: { 'content-length': '0' }, text: '' });
    expect(front.log.lines).toEqual([]);
  });

  test('that is long comes in chunks, all of it', async () => {
    const { status, headers, text } = await get('/big');
    expect([status, headers['transfer-encoding'], text.length]).toEqual([200, 'chunked', 16_777_216]);
  });

  test('in 20,000 crumbs comes as well', async () => {
    expect((await get('/crumbs')).text).toBe('-'.repeat(20_000));
  });

  test.each([
    ['/no-content', 204],
    ['/not-modified', 304],
  ])('of %s has no body, and the connection is good for the next', async (path, status) => {
    const answers = await raw(`GET ${path} HTTP/1.1`, 'Host: a', '', 'GET /plain HTTP/1.1', ...CLOSE);
    const [first = '', second = ''] = answers.split(/(?=HTTP\/1\.1 200)/);
    expect(first).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(first).not.toMatch(/transfer-encoding|content-length/i);
    expect(first.endsWith('\r\n\r\n')).toBe(true);
    expect(second).toMatch(/part$/);
  });

  test.each(['/plain', '/big', '/just-right', '/echo', '/length-without-body'])(
    'to HEAD has no body: %s',
    async (path) => {
      const answers = await raw(`HEAD ${path} HTTP/1.1`, 'Host: a', '', 'GET /plain HTTP/1.1', ...CLOSE);
      const [first = '', second = ''] = answers.split(/(?=HTTP\/1\.1)/);
      expect(first).toMatch(/^HTTP\/1.1 200 /);
      expect(first.endsWith('\r\n\r\n')).toBe(true);
      expect(second).toMatch(/part$/);
      expect(front.log.lines).toEqual([]);
    },
  );

  test('to an old client has no chunks', async () => {
    const answer = await raw('GET /crumbs HTTP/1.0', 'Host: a');
    expect(answer).not.toMatch(/chunked/);
    expect(answer.endsWith(`\r\n\r\n${'-'.repeat(20_000)}`)).toBe(true);
  });

  test.each([
    ['/no-answer', 'the component did not answer'],
    ['/refuse', 'the component answered with internal-error'],
    ['/drop-body', 'the component answered with HTTP-response-incomplete'],
    ['/keep-body', 'the component answered with HTTP-response-incomplete'],
    ['/too-short', 'the component answered with HTTP-request-body-size'],
    ['/too-long', 'the component answered with HTTP-request-body-size'],
    ['/length-without-body', 'the component answered with HTTP-response-body-size'],
  ])('that is none is an error: %s', async (path, message) => {
    const { status, text } = await get(path);
    expect([status, JSON.parse(text)]).toEqual([500, { code: 'component_failed', message }]);
    expect(front.failures()).toEqual(['component_failed']);
    expect((await get('/plain')).text).toBe('part');
  });

  test('is what the component makes of an error of its own', async () => {
    expect(await get('/forbidden-header')).toMatchObject({ status: 401, text: '' });
    expect(await get('/write-after-finish')).toMatchObject({ status: 200, text: 'part' });
    expect(front.log.lines).toEqual([]);
  });

  test('of each instance is its own: nothing of one request is there in the next', async () => {
    for (let request = 0; request < 5; request += 1) expect((await get('/count')).text).toBe('11');
  });

  test('may come with lines for the log, stdout and stderr apart', async () => {
    expect((await get('/print')).text).toBe('part');
    expect(written).toEqual([
      { component: 'workbench', stream: 'stdout', line: 'part' },
      { component: 'workbench', stream: 'stderr', line: 'part' },
    ]);
  });
});

describe('a request', () => {
  test('reaches the component with its body and what follows that, and comes back so', async () => {
    const answer = await raw(
      'POST /echo HTTP/1.1',
      ...CLOSE,
      'Transfer-Encoding: chunked',
      '',
      '5',
      'hello',
      '0',
      'X-Sum: 7',
      'X-Sum: 8',
      'Set-Cookie: x',
      'Authorization: x',
    );
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toMatch(/\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\nX-Sum: 8\r\n\r\n$/);
  });

  test.each([0, 1, 65_536, 1_000_000, 5_000_000])('with a body of %d bytes', async (length) => {
    const body = Buffer.alloc(length, 'abcdefg');
    const { status, text } = await ask(front.url, { method: 'POST', path: '/echo', body });
    expect(status).toBe(200);
    expect(text === body.toString()).toBe(true);
  });

  test('with a body in chunks that is empty, or comes byte by byte', async () => {
    const post = ['POST /echo HTTP/1.1', ...CLOSE, 'Transfer-Encoding: chunked', ''];
    expect(contentOf(await raw(...post, '0'))).toBe('');
    const crumbs = Array.from({ length: 5_000 }, () => ['1', 'x']).flat();
    expect((await raw(...post, ...crumbs, '0')).replace(/[^x]/g, '')).toHaveLength(5_000);
  });

  test('is told to go on where its client asks first', async () => {
    const answer = await raw('POST /echo HTTP/1.1', ...CLOSE, 'Expect: 100-continue', 'Content-Length: 4', '', 'body');
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
  });

  test("shows its headers but for those about the connection, which are the host's", async () => {
    const answer = await raw(
      'GET /headers HTTP/1.1',
      'hOST: a.example:8080',
      'X-One: 1',
      'x-one: 2',
      'X-Bytes: \xe9',
      'Connection: close, X-One',
      'Keep-Alive: 5',
      'TE: trailers',
      'Upgrade: websocket',
      'Proxy-Authorization: Basic x',
    );
    expect(contentOf(answer)).toBe('X-One=1\nx-one=2\nX-Bytes=\xe9');
  });

  test('may have very many headers', async () => {
    const many = Array.from({ length: 900 }, (_, index) => `X-${index}: y`);
    const answer = await raw('GET /headers HTTP/1.1', ...CLOSE, ...many);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(contentOf(answer).match(/^X-\d+=y$/gm)).toHaveLength(900);
  });

  const refused: readonly (readonly [string, readonly string[], number])[] = [
    ['without a host', ['GET /plain HTTP/1.1', 'Connection: close'], 400],
    ['without a host, from an old client', ['GET /plain HTTP/1.0'], 400],
    ['with two hosts', ['GET /plain HTTP/1.1', 'Host: a', ...CLOSE], 400],
    ['with an empty host', ['GET /plain HTTP/1.1', 'Host:', 'Connection: close'], 400],
    ['with a host that has a path', ['GET /plain HTTP/1.1', 'Host: a/b', 'Connection: close'], 400],
    ['with a host that has a user', ['GET /plain HTTP/1.1', 'Host: a@b', 'Connection: close'], 400],
    ['with two hosts in one', ['GET /plain HTTP/1.1', 'Host: a, b', 'Connection: close'], 400],
    ['in absolute form', ['GET http://a/plain HTTP/1.1', ...CLOSE], 400],
    ['for the server', ['OPTIONS * HTTP/1.1', ...CLOSE], 400],
    [
      'with a length and chunks',
      ['POST /echo HTTP/1.1', ...CLOSE, 'Content-Length: 4', 'Transfer-Encoding: chunked', '', '0'],
      400,
    ],
    ['with two lengths', ['POST /echo HTTP/1.1', ...CLOSE, 'Content-Length: 4', 'Content-Length: 5', '', 'body'], 400],
    ['with a length that is none', ['POST /echo HTTP/1.1', ...CLOSE, 'Content-Length: +4', '', 'body'], 400],
    [
      'with a coding beside chunks',
      ['POST /echo HTTP/1.1', ...CLOSE, 'Transfer-Encoding: chunked, gzip', '', '0'],
      400,
    ],
    [
      'with a chunk that is none',
      ['POST /echo HTTP/1.1', ...CLOSE, 'Transfer-Encoding: chunked', '', 'zz', 'x', '0'],
      400,
    ],
    ['with a header that goes on in the next line', ['GET /plain HTTP/1.1', ...CLOSE, 'X: a', ' b'], 400],
    ['with a blank before the colon', ['GET /plain HTTP/1.1', ...CLOSE, 'X : a'], 400],
    ['that expects something else', ['GET /plain HTTP/1.1', ...CLOSE, 'Expect: wonders'], 417],
    ['with a head that is too long', ['GET /plain HTTP/1.1', ...CLOSE, `X: ${'a'.repeat(40_000)}`], 431],
    ['with a path that is too long', [`GET /${'a'.repeat(40_000)} HTTP/1.1`, ...CLOSE], 431],
  ];

  test.each(refused)('%s is refused, and never reaches the component', async (_, lines, status) => {
    expect(await raw(...lines)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(written).toEqual([]);
  });

  test('to upgrade is a request like others, and to connect is none', async () => {
    expect(await raw('GET /plain HTTP/1.1', 'Host: a', 'Connection: close, Upgrade', 'Upgrade: h2c')).toMatch(/part$/);
    expect(await raw('CONNECT a:80 HTTP/1.1', 'Host: a')).toBe('');
  });

  test.each([10, 100_000, 3_000_000])(
    'whose body of %d bytes nobody reads is answered all the same',
    async (length) => {
      const body = Buffer.alloc(length, 'x');
      expect(await ask(front.url, { method: 'POST', path: '/plain', body })).toMatchObject({
        status: 200,
        text: 'part',
      });
    },
  );

  test('after one whose body nobody read is answered on the same connection, unless too much stands before it', async () => {
    for (const [length, answers] of [
      [10, 2],
      [20_000, 2],
      [500_000, 2],
      [5_000_000, 1],
    ] as const) {
      const first = `POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`;
      const second = `GET /plain HTTP/1.1\r\n${CLOSE.join('\r\n')}\r\n\r\n`;
      const answer = await askRaw(front.url, first + second).catch(() => 'part');
      expect([length, answer.match(/part/g)?.length]).toEqual([length, answers]);
    }
  });

  test('in a row without waiting is answered in its turn', async () => {
    const lines = Array.from({ length: 20 }, (_, index) => [
      `GET ${index % 5 === 0 ? '/trap' : '/count'} HTTP/1.1`,
      ...(index === 19 ? CLOSE : ['Host: a']),
      '',
    ]);
    const answers = await askRaw(front.url, `${lines.flat().join('\r\n')}\r\n`);
    expect([...answers.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(
      lines.map((_, index) => (index % 5 === 0 ? '500' : '200')),
    );
  });
});

describe("a component's own request", () => {
  test('goes out by the egress, and its answer comes in', async () => {
    const asked: OutgoingRequest[] = [];
    upstream = async (_, request) => {
      asked.push(request);
      return { status: 203, headers: [], body: bodyOf('from ', 'upstream'), trailers: async () => undefined };
    };
    expect(await get('/ask')).toMatchObject({ status: 203, text: 'from upstream' });
    expect(asked).toMatchObject([{ method: 'GET', scheme: 'http', authority: 'upstream', pathWithQuery: '/' }]);
  });

  test('that is refused tells the component so, and nothing more', async () => {
    // 500 and the case of the error: 15 is HTTP-request-denied, 38 is internal-error.
    expect((await get('/ask')).status).toBe(515);
    upstream = () => Promise.reject(new Error('SECRET-1'));
    expect((await get('/ask')).status).toBe(538);
    upstream = () => Promise.reject(new EgressError('connection-refused', 'DETAIL'));
    expect((await get('/ask')).status).toBe(506);
    expect(front.log.lines.join()).not.toMatch(/SECRET-1|DETAIL/);
  });

  test('whose body nobody takes does not keep the component waiting', async () => {
    expect((await get('/upload')).status).toBe(200);
  });

  test('is given up when the component ends', async () => {
    const given = new Promise<AbortSignal>((resolve) => {
      upstream = (_caller, _request, signal) => {
        resolve(signal);
        return new Promise(() => {});
      };
    });
    const answer = get('/ask-and-leave');
    const signal = await given;
    expect((await answer).text).toBe('part');
    if (!signal.aborted) await once(signal, 'abort');
  });
});

test.each([
  // Node takes none where the body is not chunked.
  ['announces trailers of an answer that has none', ['Trailer', 'x']],
  ['splits the answer', ['x-a', 'b\r\n\r\nHTTP/1.1 200 OK']],
  ['has a name that is none', ['x a', 'b']],
] as const)('a head that Node refuses, since it %s, is an error of its component alone', async (_, header) => {
  const odd = await startFront('odd', {
    async serve({ respond }) {
      respond({ status: 200, headers: [header] }, undefined);
      await new Promise(setImmediate);
    },
  });
  try {
    const answer = await ask(odd.url, { path: '/' });
    expect(answer).toMatchObject({ status: 500 });
    expect(answer.text).not.toContain('200 OK');
    expect(odd.failures()).toEqual(['component_failed']);
  } finally {
    await odd.close();
  }
});

async function* bodyOf(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
