import { networkInterfaces } from 'node:os';
import { status } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createWorkloadApi } from '../../../src/identity/workload-api/api.ts';
import { createWorkloadJwtBundleSource } from '../../../src/identity/workload-api/jwt-bundle-source.ts';
import { TrustDomain } from '../../../src/spiffe/trust-domain.ts';
import { createMemoryLog } from '../../fakes/log.ts';
import { createRecordingClock } from '../../fakes/recording-clock.ts';
import { startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { type ScriptedWorkloadApi, startScriptedWorkloadApi } from '../../fakes/scripted-workload-api.ts';
import { createArrivals } from '../../support/arrivals.ts';
import { FIRST_MESSAGE_MS, keyIds, nextChange, nextWait, rotations, waits } from '../../support/bundle-stream.ts';
import { eventually } from '../../support/eventually.ts';

const OURS = 'spiffe://example.org';
const PARTNER = 'spiffe://partner.example';

/** Not every machine has IPv6. */
const HAS_IPV6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const LOOPBACK = HAS_IPV6 ? (['127.0.0.1', '[::1]'] as const) : (['127.0.0.1'] as const);

/** A source at this address, its clock in the test's hands. */
function openSource(target: string) {
  const clock = createRecordingClock();
  const log = createMemoryLog();
  const source = createWorkloadJwtBundleSource({
    api: createWorkloadApi(target),
    trustDomain: TrustDomain.parse('example.org'),
    clock,
    random: () => 0.5,
    logger: log.logger,
    timeoutMs: FIRST_MESSAGE_MS,
  });
  onTestFinished(source.close);
  const changes = createArrivals<null>();
  source.onChange(() => changes.push(null));
  return {
    source,
    clock,
    changes,
    keys: (name: string) => source.get(TrustDomain.parse(name))?.authorities.map(({ keyId }) => keyId),
    logged: (event: string) => log.entries().filter((entry) => entry['event'] === event),
  };
}

async function withFirstMessage() {
  const [first = '', second = '', third = ''] = await rotations(3);
  const api = await startScriptedWorkloadApi();
  const world = openSource(api.target);
  const stream = await api.streams.next();
  stream.send({ [OURS]: first, [PARTNER]: third });
  await world.changes.next();
  return { ...world, api, stream, first, second, third };
}

describe('FetchJWTBundles', () => {
  test('is asked with the security header, exactly once (Workload Endpoint 5)', async () => {
    const { stream } = await withFirstMessage();
    expect(stream.metadata['workload.spiffe.io']).toEqual(['true']);
  });

  test('gives our bundle and those of others, kept apart, and each change', async () => {
    const world = await withFirstMessage();
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
    expect(world.keys('partner.example')).toEqual(keyIds(world.third));
    world.stream.send({ [OURS]: world.second, [PARTNER]: world.third });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
    expect(world.source.health()).toMatchObject({ state: 'up', lastGoodAt: world.clock.now() });
  });

  test('takes away whom a message leaves out (Workload API 4.4)', async () => {
    const world = await withFirstMessage();
    world.stream.send({ [OURS]: world.first });
    await world.changes.next();
    expect(world.keys('partner.example')).toBeUndefined();
  });

  test('a message without the mandatory field is reported and discarded (Workload API 4.5)', async () => {
    const world = await withFirstMessage();
    for (const bytes of [Buffer.alloc(0), Buffer.of(0xff)]) world.stream.sendBytes(bytes);
    await eventually(async () => expect(world.logged('bundles.bad_message')).toHaveLength(1));
    world.stream.send({ [OURS]: world.second, [PARTNER]: world.third });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
    expect(world.api.streams.all).toHaveLength(1);
  });

  test.each(LOOPBACK)('is spoken over TCP too, at %s', async (at) => {
    const [first = ''] = await rotations(1);
    const api = await startScriptedWorkloadApi({ at });
    const world = openSource(api.target);
    (await api.streams.next()).send({ [OURS]: first });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(first));
  });
});

/** An endpoint whose every stream fails so. */
async function failing(code: status, message: string): Promise<ScriptedWorkloadApi> {
  const api = await startScriptedWorkloadApi();
  api.onStream = (stream) => stream.fail(code, message);
  return api;
}

describe('status codes (Workload Endpoint 6)', () => {
  test.each([
    [status.PERMISSION_DENIED, 'no identity issued', 'bundle_unavailable', 'it has no registration entry'],
    [status.UNAVAILABLE, 'workload attestation failed', 'identity_unavailable', 'cannot be reached'],
    [status.INTERNAL, 'x', 'identity_unavailable', 'cannot be reached'],
    [status.RESOURCE_EXHAUSTED, 'x', 'identity_unavailable', 'cannot be reached'],
  ])('%d "%s" is %s, and tried again with backoff', async (code, message, expected, reason) => {
    const { target } = await failing(code, message);
    const world = openSource(target);
    expect(await waits(world.clock, 4)).toEqual([150, 300, 600, 1200]);
    expect(world.logged('bundles.stream_ended')).toMatchObject([
      { error: { code: expected, message: expect.stringContaining(reason), detail: expect.stringContaining(message) } },
    ]);
    expect(world.source.health()).toMatchObject({ state: 'down', code: 'bundle_unavailable' });
  });

  test.each([
    [status.INVALID_ARGUMENT, 'security header missing from request'],
    [status.UNIMPLEMENTED, 'unknown method'],
  ])('%d is not helped by asking again: once a minute', async (code, message) => {
    const { target, streams } = await failing(code, message);
    const world = openSource(target);
    await eventually(async () => expect(world.clock.delays).toContain(45_000));
    expect(world.logged('bundles.stream_ended')).toMatchObject([{ error: { code: 'identity_request_rejected' } }]);
    await world.clock.advance(44_999);
    expect(streams.all).toHaveLength(1);
  });

  test("the agent's admin socket is not taken for it", async () => {
    const agent = await startScriptedAgent();
    const world = openSource(`unix:${agent.socketPath}`);
    await eventually(async () =>
      expect(world.source.health().reason).toBe('the socket does not serve the SPIFFE Workload API with JWT bundles'),
    );
  });

  test('PermissionDenied in the middle takes no keys away, and shows', async () => {
    const world = await withFirstMessage();
    world.stream.fail(status.PERMISSION_DENIED, 'no identity issued');
    await eventually(async () =>
      expect(world.source.health()).toMatchObject({ state: 'degraded', code: 'bundle_unavailable' }),
    );
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
  });
});

describe('an endpoint that goes', () => {
  test('and comes back is found again; keys stay meanwhile', async () => {
    const world = await withFirstMessage();
    await world.api.stop();
    for (let attempt = 0; attempt < 4; attempt += 1) await nextWait(world.clock);
    expect(world.source.health()).toMatchObject({ state: 'degraded', code: 'identity_unavailable' });
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
    world.api.onStream = (stream) => stream.send({ [OURS]: world.second });
    await world.api.start();
    await nextChange(world);
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
    expect(world.source.health().state).toBe('up');
    expect(world.logged('bundles.stream_ended')).toHaveLength(1);
  });

  test('is left when we close', async () => {
    const world = await withFirstMessage();
    world.source.close();
    await world.stream.cancelled;
    expect(world.clock.timers).toBe(0);
  });
});
