import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, SvidxError } from '../../src/base/errors.ts';
import { createBrokerApp } from '../../src/http/broker-app.ts';
import { HTTP_STATUS } from '../../src/http/errors.ts';
import { createFakeBroker, fakeToken, refusalWithDetail } from '../fakes/broker.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { ask, askRaw, type HttpAnswer } from '../support/http.ts';
import { serveOnPrivateSocket } from '../support/private-socket.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

async function startApp() {
  const broker = createFakeBroker();
  const log = createMemoryLog();
  const { url } = await serveOnPrivateSocket(createBrokerApp({ broker, logger: log.logger }));
  const post = (path: string, body: unknown, headers = {}): Promise<HttpAnswer> =>
    ask(url, {
      method: 'POST',
      path,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
  return { broker, log, url, post };
}

function bodyOf({ status, text }: HttpAnswer): unknown {
  return { status, ...JSON.parse(text) };
}

describe('POST /v1/token', () => {
  test('gives the JWT-SVID with its ID, audiences and end', async () => {
    const { post, broker } = await startApp();
    const answer = await post('/v1/token', { component: 'api', audience: ['a', 'b'] });
    expect(bodyOf(answer)).toEqual({
      status: 200,
      spiffeId: 'spiffe://example.org/api',
      audience: ['a', 'b'],
      expiresAt: '2030-01-01T00:00:00.000Z',
      token: fakeToken('api', ['a', 'b']),
    });
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/json' });
    expect(answer.headers).not.toHaveProperty('x-powered-by');
    expect(answer.headers).not.toHaveProperty('etag');
    expect(broker.asked).toEqual([{ caller: { component: 'api', digest: undefined }, audience: ['a', 'b'] }]);
  });

  test('hands on the digest that the asking host computed', async () => {
    const { post, broker } = await startApp();
    await post('/v1/token', { component: 'api', digest: DIGEST, audience: ['a'] });
    expect(broker.asked).toEqual([{ caller: { component: 'api', digest: DIGEST }, audience: ['a'] }]);
  });
});

describe('POST /v1/credentials', () => {
  test('gives the credential in the clear', async () => {
    const { post, broker } = await startApp();
    const answer = await post('/v1/credentials', { component: 'api', grant: 'models', digest: DIGEST });
    expect(bodyOf(answer)).toEqual({
      status: 200,
      kind: 'aws',
      accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
      secretAccessKey: 'the-secret-access-key',
      sessionToken: 'the-session-token',
      expiration: '2030-01-01T00:00:00.000Z',
      region: 'eu-central-1',
    });
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(broker.asked).toEqual([{ caller: { component: 'api', digest: DIGEST }, grant: 'models' }]);
  });
});

describe('what the broker refuses', () => {
  test.each(Object.keys(ERROR_CODES) as ErrorCode[])('%s arrives with its status, code and message', async (code) => {
    const { post, broker } = await startApp();
    broker.failure = new SvidxError(code, 'a sentence', { detail: 'DETAIL' });
    const expected = { status: HTTP_STATUS[code], code, message: 'a sentence' };
    expect(bodyOf(await post('/v1/token', { component: 'api', audience: ['a'] }))).toEqual(expected);
    expect(bodyOf(await post('/v1/credentials', { component: 'api', grant: 'g' }))).toEqual(expected);
  });

  test.each([
    ['an error that is none of ours', new Error('SECRET-1')],
    ['an error that carries a status of its own', Object.assign(new Error('SECRET-1'), { status: 404 })],
    ['an error that says it is too large', Object.assign(new Error('SECRET-1'), { status: 413 })],
    ['a text', 'SECRET-1'],
    ['nothing', null],
  ])('%s is an internal error that tells the caller nothing, and is logged', async (_, failure) => {
    const { post, broker, log } = await startApp();
    broker.failure = failure;
    const answer = await post('/v1/token', { component: 'api', audience: ['a'] });
    expect(bodyOf(answer)).toEqual({
      status: 500,
      code: 'internal_error',
      message: 'something went wrong inside svid-exchange',
    });
    expect(log.entries()).toMatchObject([{ level: 'error', error: { code: 'internal_error' } }]);
  });

  test('what is expected is not logged here: the broker has audited it', async () => {
    const { post, broker, log } = await startApp();
    broker.failure = refusalWithDetail();
    const answer = await post('/v1/credentials', { component: 'api', grant: 'g' });
    expect(answer.text).not.toContain('DETAIL-FOR-THE-LOG');
    expect(log.lines).toEqual([]);
  });
});

describe('methods and paths', () => {
  const methods = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];

  test.each(methods.flatMap((method) => ['/v1/token', '/v1/credentials'].map((path) => ({ method, path }))))(
    '$method $path is 405 and says what is allowed',
    async ({ method, path }) => {
      const { url, broker } = await startApp();
      const answer = await ask(url, { method, path });
      expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
      if (method !== 'HEAD') {
        expect(JSON.parse(answer.text)).toEqual({ code: 'method_not_allowed', message: 'this path answers POST' });
      }
      expect(broker.asked).toEqual([]);
    },
  );

  const elsewhere = [
    '/',
    '/v1',
    '/v1/',
    '/v1/token/',
    '/V1/token',
    '/v1/Token',
    '/v1//token',
    '//v1/token',
    '/v1/%74oken',
    '/v1/x/../token',
    '/v1/token%2f',
    '/v2/token',
    '/keys',
    '/.well-known/openid-configuration',
    '/%',
  ];

  test.each(elsewhere)('there is nothing at %s', async (path) => {
    const { post, broker } = await startApp();
    const answer = await post(path, { component: 'api', audience: ['a'], grant: 'g' });
    expect(bodyOf(answer)).toEqual({ status: 404, code: 'not_found', message: 'there is nothing at this path' });
    expect(broker.asked).toEqual([]);
  });
});

describe('the connection', () => {
  const body = JSON.stringify({ component: 'api', grant: 'models' });
  const head =
    'POST /v1/credentials HTTP/1.1\r\nHost: svidx\r\nContent-Type: application/json\r\nConnection: close\r\n';

  test('a body in chunks is read', async () => {
    const { url } = await startApp();
    const chunks = [body.slice(0, 5), body.slice(5)].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
    const answer = await askRaw(url, `${head}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('a client that waits for 100 Continue is told to go on', async () => {
    const { url } = await startApp();
    const answer = await askRaw(url, `${head}Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n${body}`);
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  test('any other expectation is refused', async () => {
    const { url, broker } = await startApp();
    const answer = await askRaw(url, `${head}Content-Length: ${body.length}\r\nExpect: tea\r\n\r\n${body}`);
    expect(answer).toMatch(/^HTTP\/1\.1 417 /);
    expect(broker.asked).toEqual([]);
  });

  test('two lengths, or a length and chunks, are refused: they are how requests are smuggled', async () => {
    const { url, broker } = await startApp();
    const twoLengths = `${head}Content-Length: ${body.length}\r\nContent-Length: 5\r\n\r\n${body}`;
    const both = `${head}Content-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    expect(await askRaw(url, twoLengths)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await askRaw(url, both)).toMatch(/^HTTP\/1\.1 400 /);
    expect(broker.asked).toEqual([]);
  });
});
