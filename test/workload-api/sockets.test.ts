import { lstat, readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createWorkloadClient } from '../../src/http/workload-client.ts';
import { refusal } from '../support/errors.ts';
import { ask } from '../support/http.ts';
import { openWorkloadApi } from '../support/raw-workload.ts';
import { startWorld, type World } from '../support/world.ts';

const PATH = '/v1/workload-api';
const AUDIENCE = ['sts.amazonaws.com'];

const pathOf = (endpoint: string): string => endpoint.replace(/^unix:\/\//, '');

async function modeOf(path: string): Promise<string> {
  return ((await lstat(path)).mode & 0o777).toString(8);
}

/** The folders of sockets that are open. */
async function socketFolders(world: World): Promise<string[]> {
  return (await readdir(dirname(world.config.brokerSocket))).filter((name) => name.startsWith('.svidx-'));
}

describe('a socket', () => {
  test('is for its owner only, in a folder that only its owner can enter', async () => {
    const world = await startWorld();
    const { endpoint } = await openWorkloadApi(world.config.brokerSocket, 'api');
    const path = pathOf(endpoint);
    expect((await lstat(path)).isSocket()).toBe(true);
    expect([await modeOf(path), await modeOf(dirname(path))]).toEqual(['600', '700']);
    expect(dirname(dirname(path))).toBe(dirname(world.config.brokerSocket));
  });

  test('is another one each time', async () => {
    const world = await startWorld();
    const sockets = await Promise.all(
      ['api', 'api', 'ledger'].map((name) => openWorkloadApi(world.config.brokerSocket, name)),
    );
    expect(new Set(sockets.map(({ endpoint }) => endpoint)).size).toBe(3);
    expect(await socketFolders(world)).toHaveLength(3);
  });

  test('is gone, with its folder, when it is let go of, and the others stay', async () => {
    const world = await startWorld();
    const leaving = await openWorkloadApi(world.config.brokerSocket, 'api');
    const staying = await openWorkloadApi(world.config.brokerSocket, 'api');
    const stream = leaving.api.subscribe();
    await stream.next();
    leaving.close();
    expect(await stream.next()).toMatchObject({ code: expect.any(Number) });
    await expect.poll(() => socketFolders(world)).toHaveLength(1);
    expect(await staying.api.call('FetchJWTSVID', { audience: AUDIENCE })).toMatchObject({ svids: [{}] });
    expect(await leaving.api.call('FetchJWTSVID', { audience: AUDIENCE })).toMatchObject({ code: 14 });
  });

  test('is gone when its client is, without a word', async () => {
    const world = await startWorld();
    const outgoing = request({
      socketPath: world.config.brokerSocket,
      path: PATH,
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
    });
    outgoing.on('error', () => {});
    outgoing.end('{"component":"api"}');
    await expect.poll(() => socketFolders(world)).toHaveLength(1);
    outgoing.destroy();
    await expect.poll(() => socketFolders(world)).toHaveLength(0);
  });

  test('ends with the service, which does not wait for it', async () => {
    const world = await startWorld();
    const { closed } = await openWorkloadApi(world.config.brokerSocket, 'api');
    const before = performance.now();
    await world.service.close();
    await closed;
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(await socketFolders(world)).toEqual([]);
  });
});

describe('opening one', () => {
  test.each([
    ['a component without a policy', { component: 'nobody' }, 403, 'policy_denied'],
    ['a component in another case', { component: 'API' }, 403, 'policy_denied'],
    ['a component with a blank', { component: 'api ' }, 403, 'policy_denied'],
    ['no component', {}, 400, 'request_invalid'],
    ['an empty component', { component: '' }, 400, 'request_invalid'],
    ['a key too many', { component: 'api', socket: '/tmp/x' }, 400, 'request_invalid'],
    ['a digest that is none', { component: 'api', digest: 'x' }, 400, 'request_invalid'],
  ])('is refused for %s', async (_, body, status, code) => {
    const world = await startWorld();
    const answer = await ask(`unix:${world.config.brokerSocket}`, {
      method: 'POST',
      path: PATH,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([status, code]);
    expect(await socketFolders(world)).toEqual([]);
  });

  test('is refused for another method', async () => {
    const world = await startWorld();
    const answer = await ask(`unix:${world.config.brokerSocket}`, { path: PATH });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
  });

  test('is refused where the digest is not the one of the policy', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const policy = `component: api\nspiffeId: spiffe://example.org/api\nselectors: [a:b]\naudiences: [x]\ndigest: ${digest}\n`;
    const world = await startWorld({ policies: { 'api.yaml': policy } });
    const client = createWorkloadClient(world.config.brokerSocket);
    expect(await refusal(client.open({ component: 'api', digest: `sha256:${'b'.repeat(64)}` }))).toMatchObject({
      code: 'policy_denied',
    });
    const socket = await client.open({ component: 'api', digest });
    onTestFinished(socket.close);
    expect(socket.endpoint).toMatch(/^unix:\/\//);
  });

  test('where no service is fails as every request there does', async () => {
    expect(await refusal(createWorkloadClient('/nowhere.sock').open({ component: 'api' }))).toMatchObject({
      code: 'service_unreachable',
    });
  });
});
