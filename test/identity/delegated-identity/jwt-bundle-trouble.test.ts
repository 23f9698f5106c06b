import { rename, rm } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { keyIds, nextChange, nextWait, openBundleStream, rotations } from '../../support/bundle-stream.ts';
import { eventually } from '../../support/eventually.ts';

const OURS = 'spiffe://example.org';
const PARTNER = 'spiffe://partner.example';

async function withFirstMessage() {
  const [first = '', second = ''] = await rotations(2);
  const world = await openBundleStream();
  const stream = await world.nextStream();
  stream.send({ [OURS]: first });
  await world.changes.next();
  return { ...world, stream, first, second };
}

describe('an agent that comes round', () => {
  test('knows us only after a while: its entries have to reach it first', async () => {
    const [first = ''] = await rotations(1);
    const world = await openBundleStream({
      prepare: (agent) => {
        agent.onStream = (stream) => stream.fail(status.PERMISSION_DENIED, 'no identity issued');
      },
    });
    for (let attempt = 0; attempt < 3; attempt += 1) await nextWait(world.clock);
    expect(world.source.health()).toEqual({
      state: 'down',
      code: 'bundle_unavailable',
      reason: expect.stringContaining('does not accept this service as a delegate'),
    });
    world.agent.onStream = (stream) => stream.send({ [OURS]: first });
    await nextChange(world);
    expect(world.keys('example.org')).toEqual(keyIds(first));
    expect(world.source.health()).toMatchObject({ state: 'up', reason: 'the bundle stream is open' });
    expect(world.logged('bundles.stream_ended')).toHaveLength(1);
    expect(world.logged('bundles.recovered')).toHaveLength(1);
  });

  test('was not there at all when we started', async () => {
    const [first = ''] = await rotations(1);
    const world = await openBundleStream({ through: async (socketPath) => `${socketPath}.later` });
    for (let attempt = 0; attempt < 3; attempt += 1) await nextWait(world.clock);
    expect(world.source.health()).toMatchObject({ state: 'down', code: 'bundle_unavailable' });
    world.agent.onStream = (stream) => stream.send({ [OURS]: first });
    await rename(world.agent.socketPath, `${world.agent.socketPath}.later`);
    await nextChange(world);
    expect(world.keys('example.org')).toEqual(keyIds(first));
  });

  test('had its socket removed, and made anew by a new agent', async () => {
    const world = await withFirstMessage();
    const goodAt = world.clock.now();
    await rm(world.agent.socketPath);
    world.stream.fail(status.UNAVAILABLE, 'going away');
    for (let attempt = 0; attempt < 4; attempt += 1) await nextWait(world.clock);
    expect(world.source.health()).toMatchObject({
      state: 'degraded',
      code: 'identity_unavailable',
      lastGoodAt: goodAt,
    });
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
    await world.agent.stop();
    world.agent.onStream = (stream) => stream.send({ [OURS]: world.second });
    await world.agent.start();
    await nextChange(world);
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
    expect(world.source.health().lastGoodAt).toBeGreaterThan(goodAt);
  });
});

describe('an agent that refuses the call itself', () => {
  test.each([
    [status.UNIMPLEMENTED, "the socket does not serve SPIRE's Delegated Identity API"],
    [status.INVALID_ARGUMENT, 'the SPIRE agent refused the request'],
  ])('with code %d is asked once a minute at most', async (code, reason) => {
    const world = await openBundleStream({
      prepare: (agent) => {
        agent.onStream = (stream) => stream.fail(code, 'x');
      },
    });
    await eventually(async () => expect(world.clock.delays).toContain(45_000));
    expect(world.source.health()).toMatchObject({ state: 'down', reason: expect.stringContaining(reason) });
    await world.clock.advance(44_999);
    expect(world.agent.streams.all).toHaveLength(1);
    await world.clock.advance(1);
    await eventually(async () => expect(world.agent.streams.all).toHaveLength(2));
  });
});

describe('health', () => {
  test('before anything has arrived', async () => {
    const world = await openBundleStream();
    expect(world.source.health()).toEqual({
      state: 'down',
      code: 'bundle_unavailable',
      reason: 'no bundle has arrived yet',
    });
  });

  test('shows a bundle that cannot be read until it can: ours, whose age grows, or a partner’s', async () => {
    const world = await withFirstMessage();
    const goodAt = world.clock.now();
    await world.clock.advance(60_000);
    world.stream.send({ [OURS]: 'bad' });
    await eventually(async () => expect(world.source.health().state).toBe('degraded'));
    expect(world.source.health()).toMatchObject({ code: 'bundle_invalid', lastGoodAt: goodAt });
    world.stream.send({ [OURS]: world.second, [PARTNER]: 'bad' });
    await world.changes.next();
    expect(world.source.health()).toMatchObject({
      state: 'degraded',
      code: 'bundle_invalid',
      reason: 'the bundle of partner.example must be a JSON object of unique members with an array "keys"',
      lastGoodAt: world.clock.now(),
    });
    world.stream.send({ [OURS]: world.first });
    await world.changes.next();
    expect(world.source.health().state).toBe('up');
  });

  test('is down when our own trust domain is gone, or has no key', async () => {
    const world = await withFirstMessage();
    world.stream.send({ [OURS]: '{"keys":[]}' });
    await world.changes.next();
    expect(world.source.health()).toMatchObject({
      state: 'down',
      code: 'bundle_unavailable',
      reason: 'the bundle of example.org has no key for JWT-SVIDs: nothing is trusted',
    });
    world.stream.send({ [PARTNER]: world.first });
    await world.changes.next();
    expect(world.source.health()).toMatchObject({
      state: 'down',
      reason: 'there is no bundle of example.org any more',
    });
  });
});

describe('the log', () => {
  test('says once that a bundle is bad, however often it comes, and again after a good one', async () => {
    const world = await withFirstMessage();
    const bad = (name: string): void => world.stream.send({ [OURS]: world.first, [name]: 'bad' });
    for (let times = 0; times < 5; times += 1) bad(PARTNER);
    bad('spiffe://other.example');
    bad(PARTNER);
    world.stream.send({ [OURS]: world.second });
    await world.changes.next();
    bad(PARTNER);
    await eventually(async () => expect(world.logged('bundles.bad_bundle')).toHaveLength(3));
    expect(world.logged('bundles.bad_bundle').map((entry) => entry['trustDomain'])).toEqual([
      'partner.example',
      'other.example',
      'partner.example',
    ]);
  });

  test('is not flooded by an agent that is wrong in a new way each time', async () => {
    const world = await withFirstMessage();
    for (let times = 0; times < 150; times += 1)
      world.stream.send({ [OURS]: world.first, [`spiffe://td${times}`]: 'bad' });
    world.stream.send({ [OURS]: world.second });
    await world.changes.next();
    expect(world.logged('bundles.bad_bundle')).toHaveLength(100);
  });
});

test('a message without any trust domain is no statement: reported, and discarded', async () => {
  const world = await withFirstMessage();
  world.stream.send({});
  await eventually(async () => expect(world.logged('bundles.bad_message')).toHaveLength(1));
  expect(world.keys('example.org')).toEqual(keyIds(world.first));
  expect(world.source.health()).toMatchObject({ state: 'degraded', code: 'bundle_invalid' });
});
