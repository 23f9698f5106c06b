import { join } from 'node:path';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DevService, startDev } from '../support/dev.ts';
import { svidx } from '../support/svidx.ts';
import { tempFolder } from '../support/temp.ts';

const GATEWAY = 'spiffe://wasmcloud.dev/spiffe-in-practice/api-gateway';
const TOKEN = ['token', '--component', 'api-gateway', '--audience', 'sts.amazonaws.com'];

let dev: DevService;
beforeAll(async () => {
  dev = await startDev();
});
afterAll(() => dev.close());

describe('token', () => {
  test('prints one JWT-SVID and nothing else, good for the keys that are published', async () => {
    const { code, stdout, stderr } = await dev.svidx(TOKEN);
    expect([code, stderr]).toEqual([0, '']);
    const keys = createRemoteJWKSet(new URL(`${dev.ready.issuer}/keys`));
    const { payload } = await jwtVerify(stdout.trimEnd(), keys, {
      issuer: dev.ready.issuer,
      audience: 'sts.amazonaws.com',
    });
    expect(payload.sub).toBe(GATEWAY);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  });

  test('prints with --json whose it is, for whom and until when', async () => {
    const { code, stdout } = await dev.svidx([...TOKEN, '--json']);
    const printed = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(printed).toStrictEqual({
      spiffeId: GATEWAY,
      audience: ['sts.amazonaws.com'],
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
      token: expect.stringMatching(/^eyJ/),
    });
  });

  test.each([
    [
      'an audience that is not granted',
      ['--component', 'api-gateway', '--audience', 'evil.example.org'],
      'component "api-gateway": the audience "evil.example.org" is not granted to it',
    ],
    [
      'two audiences of which one is not granted',
      ['--component', 'api-gateway', '--audience', 'sts.amazonaws.com', '--audience', 'evil'],
      'component "api-gateway": the audience "evil" is not granted to it',
    ],
    [
      'a component without a policy',
      ['--component', 'Api-Gateway', '--audience', 'sts.amazonaws.com'],
      'component "Api-Gateway": no policy names it',
    ],
    [
      'a component called __proto__',
      ['--component', '__proto__', '--audience', 'a'],
      'component "__proto__": no policy',
    ],
  ])('is denied for %s', async (_, args, reason) => {
    const { code, stdout, stderr } = await dev.svidx(['token', ...args]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`svidx: policy_denied: ${reason}`);
  });

  test('does not repeat a token that somebody has put where a name belongs', async () => {
    const { stdout: token } = await dev.svidx(TOKEN);
    for (const args of [
      ['--component', token.trimEnd(), '--audience', 'a'],
      ['--component', 'api-gateway', '--audience', token.trimEnd()],
    ]) {
      const { code, stdout, stderr } = await dev.svidx(['token', ...args]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^svidx: policy_denied: .*\[redacted\]/);
    }
  });
});

describe("the service's socket", () => {
  test('is the one of --socket, before that of SVIDX_SOCKET', async () => {
    const env = { SVIDX_SOCKET: '/nonexistent/variable.sock' };
    expect((await dev.svidx([...TOKEN, '--socket', dev.ready.broker], { env })).code).toBe(0);
    const { stderr } = await dev.svidx([...TOKEN, '--socket', '/nonexistent/option.sock']);
    expect(stderr).toBe(
      'svidx: service_unreachable: no svid-exchange service answers at /nonexistent/option.sock (ENOENT)\n',
    );
  });

  test('is the one of SVIDX_SOCKET, before the default', async () => {
    expect((await svidx(TOKEN, { env: { SVIDX_SOCKET: dev.ready.broker } })).code).toBe(0);
    const { code, stdout, stderr } = await svidx(TOKEN, { env: { SVIDX_SOCKET: '/nonexistent/variable.sock' } });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('at /nonexistent/variable.sock (ENOENT)');
  });

  test.each([
    ['not set', {}],
    ['set to nothing', { SVIDX_SOCKET: '' }],
  ])('is the default where the variable is %s', async (_, env) => {
    const { code, stdout, stderr } = await svidx(TOKEN, { env });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('no svid-exchange service answers at /run/svidx/broker.sock');
  });

  test.each(['', 'unix:', 'unix://'])('is not %j: that would be a TCP port', async (socket) => {
    expect(await dev.svidx([...TOKEN, '--socket', socket])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'svidx: usage_invalid: --socket: expected the path of a socket\n',
    });
  });

  test.each([
    ['unix:/path', (path: string) => `unix:${path}`],
    ['unix:///path', (path: string) => `unix://${path}`],
    ['a path', (path: string) => path],
  ])('may be written as %s', async (_, write) => {
    const path = dev.ready.broker.replace(/^unix:/, '');
    expect((await dev.svidx(TOKEN, { env: { SVIDX_SOCKET: write(path) } })).code).toBe(0);
  });

  test('has nobody behind it when it is a folder, or its path is too long', async () => {
    const folder = await tempFolder();
    for (const socket of [folder, join(folder, 'x'.repeat(120))]) {
      const { code, stdout, stderr } = await dev.svidx([...TOKEN, '--socket', socket]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^svidx: service_unreachable: no svid-exchange service answers at /);
    }
  });
});
