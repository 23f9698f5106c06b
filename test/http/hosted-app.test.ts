import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createHostedApp } from '../../src/http/hosted-app.ts';
import { COMPONENT_LIMITS, listenOnTcp } from '../../src/http/listener.ts';
import { ask, askRaw } from '../support/http.ts';

/** Components that answer with their prefix and the target as they get it. */
async function start(...prefixes: readonly string[]): Promise<string> {
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock, undefined, COMPONENT_LIMITS);
  onTestFinished(listener.close);
  listener.handle(
    createHostedApp(
      prefixes.map((prefix) => ({
        route: { host: undefined, prefix },
        target: (request, response) => void response.end(`${prefix} ${request.method} ${request.url}`),
      })),
    ),
  );
  return listener.url;
}

describe('the listener of hosted components', () => {
  test('hands each request on as it came, the whole path and the query', async () => {
    const url = await start('/api', '');
    expect((await ask(url, { path: '/api/x?y=/../z' })).text).toBe('/api GET /api/x?y=/../z');
    expect((await ask(url, { method: 'POST', path: '/a%20pi', body: 'b' })).text).toBe(' POST /a%20pi');
    expect((await ask(url, { path: '/?/api' })).text).toBe(' GET /?/api');
  });

  test('says where there is nothing', async () => {
    const url = await start('/api');
    expect(await ask(url, { path: '/apix' })).toMatchObject({
      status: 404,
      headers: { connection: 'close' },
      text: '{"code":"not_found","message":"no component answers at this path"}',
    });
  });

  test.each([
    '/api/../admin',
    '/api/%2e%2e/admin',
    '//admin',
    '/api%2f..%2fadmin',
    '/admin/..;/api',
    '/api\\..\\admin',
  ])('gives %s to nobody', async (path) => {
    const url = await start('/api', '/admin', '');
    const { status, text } = await ask(url, { path });
    expect([status, text]).toEqual([
      400,
      '{"code":"request_invalid","message":"expected a path that can be read in one way only"}',
    ]);
  });

  test.each([
    'GET http://other.example/api HTTP/1.1\r\nHost: other.example\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: a\r\n',
    'GET /api HTTP/1.1\r\nHost: a\r\nHost: b\r\n',
    'GET /api HTTP/1.1\r\n',
    'GET /api HTTP/1.0\r\n',
    'POST /api//x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n',
  ])('refuses %j, and closes the connection', async (head) => {
    const url = await start('/api', '');
    expect(await askRaw(url, `${head}\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  });
});
