import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createHttpClient, describeError, isBrokenConnection } from '../../src/exchange/http-client.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { startScriptedSts } from '../fakes/scripted-sts.ts';
import { runProgram } from '../support/cli.ts';
import { unaborted } from '../support/delegated-identity.ts';

const PROGRAM = join(import.meta.dirname, '../support/ask-through-environment.ts');

test('a request is sent as it is, and its answer read to the end', async () => {
  const server = await startScriptedSts();
  server.onRequest = () => ({ status: 418, body: 'tea', headers: { 'X-Kind': 'green' } });
  const clock = createFakeClock();
  const url = `${server.url}/path?a=%41`;
  const http = createHttpClient(clock);
  const answer = await http({ method: 'POST', url, headers: { 'X-A': 'b' }, body: 'ü' }, unaborted());
  expect(answer).toMatchObject({ status: 418, headers: { 'x-kind': 'green' }, sentAt: clock.now() });
  expect(answer.body.toString()).toBe('tea');
  const request = await server.requests.next();
  expect(request).toMatchObject({ method: 'POST', url: '/path?a=%41', body: 'ü' });
  expect(request.headers).toMatchObject({ 'x-a': 'b', 'content-length': '2' });
  expect(clock.timers).toBe(0);
});

describe("the host's environment", () => {
  test.each([
    { NODE_USE_ENV_PROXY: '1' },
    { NODE_USE_ENV_PROXY: '1', NODE_TLS_REJECT_UNAUTHORIZED: '0', NO_PROXY: '' },
  ])('does not send a request through a proxy, as it does with fetch: %j', async (env) => {
    const server = await startScriptedSts();
    server.onRequest = () => ({ status: 200, body: 'x' });
    const proxy = await startScriptedSts();
    proxy.onRequest = () => ({ status: 502, body: 'x' });
    const variables = Object.fromEntries(
      ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].flatMap((name) => [
        [name, proxy.url],
        [name.toLowerCase(), proxy.url],
      ]),
    );
    const finished = await runProgram(process.execPath, [PROGRAM, `${server.url}/ours`, `${server.url}/theirs`], {
      env: { PATH: process.env['PATH'], ...variables, ...env },
    });
    expect(finished).toMatchObject({ code: 0, stdout: '[200,502]\n' });
    expect(server.requests.all.map(({ url }) => url)).toEqual(['/ours']);
    expect(proxy.requests.all).toHaveLength(1);
  });
});

describe('a failure', () => {
  test.each([
    [Object.assign(new Error('x'), { code: 'ECONNRESET' }), true, 'ECONNRESET, x'],
    [Object.assign(new Error('x'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), true, 'DEPTH_ZERO_SELF_SIGNED_CERT, x'],
    [Object.assign(new Error('x'), { code: 'HPE_INVALID_CONSTANT' }), false, 'HPE_INVALID_CONSTANT, x'],
    [Object.assign(new Error('x'), { code: 7 }), false, 'Error, x'],
    [new TypeError('x'), false, 'TypeError, x'],
    ['x', false, 'a thrown string'],
  ])('%s may pass: %s', (error, broken, text) => {
    expect(isBrokenConnection(error)).toBe(broken);
    expect(describeError(error)).toBe(text);
  });
});
