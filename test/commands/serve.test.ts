import { once } from 'node:events';
import { lstat, mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { type ClientRequest, request } from 'node:http';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createWorkloadClient } from '../../src/http/workload-client.ts';
import { type FakeSpire, startFakeSpire } from '../fakes/trust-domain.ts';
import { makeOld } from '../support/abandoned.ts';
import { type Setup, setup } from '../support/serve-setup.ts';
import { type Running, startSvidx, svidx } from '../support/svidx.ts';

describe('serve is refused at once', () => {
  test.each([
    ['by a configuration that is wrong', { lines: 'evil: 1\n' }, 'evil: unknown key'],
    ['by a policy that is wrong', { policies: { 'a.yaml': 'component: [' } }, 'a.yaml:1: '],
  ])('%s, and leaves nothing behind', async (_, options, problem) => {
    const { config, folder } = await setup(options);
    const { code, stdout, stderr } = await svidx(['serve', '-c', config, '--json']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(problem);
    expect((await readdir(folder)).toSorted()).toEqual(['policies', 'svidx.yaml']);
  });

  test('when another file is where its socket should be, which stays', async () => {
    const { config, socket } = await setup();
    await writeFile(socket, 'precious');
    const { code, stdout, stderr } = await svidx(['serve', '-c', config]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('a file of that name is there');
    expect((await stat(socket)).size).toBe('precious'.length);
  });
});

/** `svidx serve` against a fake SPIRE, ready. */
async function serve(
  spire: FakeSpire,
  made?: Setup,
): Promise<Setup & { running: Running; ready: Record<string, unknown> }> {
  const place = made ?? (await setup({ spire: `unix://${spire.socketPath}` }));
  const running = startSvidx(['serve', '-c', place.config, '--json']);
  onTestFinished(async () => void (await running.end()));
  return { ...place, running, ready: JSON.parse(await running.firstLine()) };
}

function token(socket: string, ...more: string[]): string[] {
  return ['token', '--component', 'api', '--audience', 'me', '--socket', socket, ...more];
}

/** A request whose body is still to come, once the service has begun to answer it. */
async function halfARequest(socketPath: string): Promise<ClientRequest> {
  const body = JSON.stringify({ component: 'api', audience: ['me'] });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length, Expect: '100-continue' };
  const outgoing = request({ socketPath, path: '/v1/token', method: 'POST', headers });
  outgoing.flushHeaders();
  await once(outgoing, 'continue');
  outgoing.write(body.slice(0, -1));
  return outgoing;
}

describe('serve', () => {
  test('answers once it has keys, hands out tokens, and ends well', async () => {
    const spire = await startFakeSpire({ jwtIssuer: 'https://oidc.example.org' });
    const { socket, folder, ready, running } = await serve(spire);
    expect(ready).toStrictEqual({
      ready: true,
      issuer: 'https://oidc.example.org',
      discovery: 'https://oidc.example.org/.well-known/openid-configuration',
      broker: `unix:${socket}`,
    });
    const found = await lstat(socket);
    expect([found.isSocket(), found.mode & 0o777]).toEqual([true, 0o600]);

    const printed = await svidx(token(socket));
    expect(printed).toMatchObject({ code: 0, stderr: '' });
    const asJson = JSON.parse((await svidx(token(`unix:${socket}`, '--json'))).stdout);
    expect(asJson).toEqual({
      spiffeId: 'spiffe://example.org/api',
      audience: ['me'],
      expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
      token: printed.stdout.trimEnd(),
    });
    expect(await svidx(['credentials', 'none', '--component', 'api', '--socket', socket])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'svidx: policy_denied: component "api": it has no grant "none"\n',
    });

    running.signal('SIGTERM');
    const { code, signal, stderr: log } = await running.finished();
    expect([code, signal]).toEqual([0, null]);
    expect(log).toContain('"action":"identity.request"');
    expect((await readdir(folder)).toSorted()).toEqual(['policies', 'svidx.yaml']);
  });

  test('publishes the keys that SPIRE has', async () => {
    const spire = await startFakeSpire({ keyType: 'rsa-2048' });
    const { running } = await serve(spire);
    const [, http = ''] = await running.logged(/"event":"service\.ready".*"http":"([^"]+)"/);
    const discovery = await (await fetch(`${http}/.well-known/openid-configuration`)).json();
    expect(discovery).toMatchObject({
      issuer: 'https://oidc.example.org',
      jwks_uri: 'https://oidc.example.org/keys',
      id_token_signing_alg_values_supported: ['RS256'],
    });
    const { keys } = JSON.parse(spire.authority.jwkSet());
    expect(await (await fetch(`${http}/keys`)).json()).toEqual({
      keys: [{ ...keys[0], use: 'sig', alg: 'RS256' }],
    });
  });

  test('finishes the request under way when it is asked to stop', async () => {
    const spire = await startFakeSpire();
    const { socket, running } = await serve(spire);
    const outgoing = await halfARequest(socket);
    running.signal('SIGTERM');
    await running.logged(/"event":"service.stopping"/);
    outgoing.end('}');
    const [response] = await once(outgoing, 'response');
    expect(response.statusCode).toBe(200);
    expect(JSON.parse(await text(response))).toMatchObject({ spiffeId: 'spiffe://example.org/api' });
    expect(await running.finished()).toMatchObject({ code: 0, signal: null });
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends well by %s while it still waits for SPIRE, having said nothing',
    async (name) => {
      const { config, folder } = await setup();
      const running = startSvidx(['serve', '-c', config, '--json']);
      await running.logged(/"event":"service.started"/);
      running.signal(name);
      expect(await running.finished()).toMatchObject({ code: 0, signal: null, stdout: '' });
      expect((await readdir(folder)).toSorted()).toEqual(['policies', 'svidx.yaml']);
    },
  );

  test('leaves a running service alone when it is started on the same socket', async () => {
    const spire = await startFakeSpire();
    const first = await serve(spire);
    const second = await svidx(['serve', '-c', first.config, '--json']);
    expect([second.code, second.stdout]).toEqual([2, '']);
    expect(second.stderr).toContain(`config_invalid: the private socket ${first.socket}: another service is listening`);
    expect((await svidx(token(first.socket))).code).toBe(0);
  });

  test('takes the place of a service that was killed', async () => {
    const spire = await startFakeSpire();
    const first = await serve(spire);
    first.running.signal('SIGKILL');
    expect((await first.running.finished()).signal).toBe('SIGKILL');
    expect((await lstat(first.socket)).isSocket()).toBe(true);
    expect((await svidx(token(first.socket))).stderr).toMatch(/^svidx: service_unreachable: .*ECONNREFUSED/);
    const second = await serve(spire, first);
    expect((await svidx(token(second.socket))).code).toBe(0);
  });

  test('removes the sockets of components that a service left behind which was killed, and none of one that lives', async () => {
    const spire = await startFakeSpire();
    const first = await serve(spire);
    const { endpoint } = await createWorkloadClient(first.socket).open({ component: 'api' });
    const left = dirname(endpoint.replace(/^unix:\/\//, ''));
    first.running.signal('SIGKILL');
    await first.running.finished();
    expect(await readdir(left)).toEqual(['s']);
    await makeOld(left);
    const living = await mkdtemp(join(first.folder, '.svidx-'));
    const server = createServer().listen(join(living, 's'));
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    await makeOld(living);
    const second = await serve(spire, first);
    expect((await readdir(first.folder)).filter((name) => name.startsWith('.svidx-'))).toEqual([basename(living)]);
    const { stderr } = await second.running.end();
    expect(stderr).toContain(`"event":"workload_api.tidied","folders":["${left}"]`);
  });

  test('without --json says in words where it is', async () => {
    const spire = await startFakeSpire();
    const { config, socket } = await setup({ spire: `unix://${spire.socketPath}` });
    const running = startSvidx(['serve', '--config', config]);
    onTestFinished(async () => void (await running.end()));
    expect(await running.firstLine()).toMatch(
      new RegExp(
        `^svidx serves https://oidc\\.example\\.org at http://127\\.0\\.0\\.1:\\d+, and components at unix:${socket}$`,
      ),
    );
  });
});
