import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import type { AgentStream } from '../../fakes/scripted-agent.ts';
import { startUnixProxy } from '../../fakes/unix-proxy.ts';
import {
  type BundleStream,
  FIRST_MESSAGE_MS,
  keyIds,
  openBundleStream,
  rotations,
  waits,
} from '../../support/bundle-stream.ts';
import { eventually } from '../../support/eventually.ts';

const OURS = 'spiffe://example.org';
const PARTNER = 'spiffe://partner.example';

/** Half of ten minutes, and half of the other half: `random` is 0.5 here. */
const RENEWAL_MS = 450_000;

/** A stream whose first message was taken in: ours with one key, and a partner's. */
async function withFirstMessage(options?: Parameters<typeof openBundleStream>[0]) {
  const [first = '', second = '', third = ''] = await rotations(3);
  const world = await openBundleStream(options);
  const stream = await world.nextStream();
  stream.send({ [OURS]: first, [PARTNER]: third });
  await world.changes.next();
  return { ...world, stream, first, second, third };
}

/** The stream that is opened in place of the one there is. */
async function renewed({ clock, nextStream }: BundleStream): Promise<AgentStream> {
  await clock.advance(RENEWAL_MS);
  return nextStream();
}

describe('a stream is replaced from time to time', () => {
  test('by a new one, and is cancelled when that one has brought its first message', async () => {
    const world = await withFirstMessage();
    await world.clock.advance(RENEWAL_MS - 1);
    expect(world.agent.streams.all).toHaveLength(1);
    await world.clock.advance(1);
    const second = await world.nextStream();
    // Until then it is the old one that counts: what it says is taken in.
    world.stream.send({ [OURS]: world.second });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
    second.send({ [OURS]: world.third });
    await world.changes.next();
    await world.stream.cancelled;
    expect(world.keys('example.org')).toEqual(keyIds(world.third));
    expect(world.source.health()).toMatchObject({ state: 'up', lastGoodAt: world.clock.now() });
  });

  test('again and again, two at most at a time, without a word in the log', async () => {
    const world = await withFirstMessage();
    let previous = world.stream;
    for (let renewals = 0; renewals < 5; renewals += 1) {
      const next = await renewed(world);
      next.send({ [OURS]: world.first, [PARTNER]: world.third });
      await previous.cancelled;
      previous = next;
    }
    expect(world.agent.streams.all).toHaveLength(6);
    expect(world.changes.all).toHaveLength(1);
    expect(world.log.entries()).toHaveLength(1);
  });

  test.each([
    [0, 300_000],
    [1 - Number.EPSILON, 600_000],
  ])('with jitter: random %d after %d ms', async (random, waitMs) => {
    const world = await withFirstMessage({ random: () => random });
    expect(world.clock.delays).toEqual([FIRST_MESSAGE_MS, expect.closeTo(waitMs, 3)]);
  });

  test('so a trust domain is gone that SPIRE kept in the messages of the old stream', async () => {
    const world = await withFirstMessage();
    const second = await renewed(world);
    expect(world.keys('partner.example')).toEqual(keyIds(world.third));
    second.send({ [OURS]: world.first });
    await world.changes.next();
    expect(world.keys('partner.example')).toBeUndefined();
  });

  test('over a connection of its own, so that one that is half-open does not last', async () => {
    const proxies: Awaited<ReturnType<typeof startUnixProxy>>[] = [];
    const world = await withFirstMessage({
      through: async (socketPath) => {
        proxies.push(await startUnixProxy(socketPath));
        return proxies[0]?.socketPath ?? '';
      },
    });
    proxies[0]?.freeze();
    world.stream.send({ [OURS]: world.second });
    (await renewed(world)).send({ [OURS]: world.third });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.third));
    expect(proxies[0]?.connections).toBe(2);
  });
});

describe('where the new stream brings nothing', () => {
  test('since it is silent: it is cut, tried again, and the old one stays', async () => {
    const world = await withFirstMessage();
    const goodAt = world.clock.now();
    const silent = await renewed(world);
    await world.clock.advance(FIRST_MESSAGE_MS);
    await silent.cancelled;
    expect(world.source.health()).toEqual({
      state: 'degraded',
      code: 'identity_unavailable',
      reason: 'the SPIRE agent sent no bundle in time',
      lastGoodAt: goodAt,
    });
    world.stream.send({ [OURS]: world.second });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
    await world.clock.advance(150);
    (await world.nextStream()).send({ [OURS]: world.third });
    await world.changes.next();
    await world.stream.cancelled;
    expect(world.source.health().state).toBe('up');
  });

  test('since our registration entry is gone: that shows, once in the log, and the keys stay', async () => {
    const world = await withFirstMessage();
    world.agent.onStream = (stream) => stream.fail(status.PERMISSION_DENIED, 'no identity issued');
    await world.clock.advance(RENEWAL_MS);
    expect(await waits(world.clock, 4)).toEqual([150, 300, 600, 1200]);
    expect(world.source.health()).toMatchObject({ state: 'degraded', code: 'identity_delegate_unauthorized' });
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
    expect(world.logged('bundles.stream_ended')).toHaveLength(1);
    // The stream that is open is listened to all the while.
    world.stream.send({ [OURS]: world.second });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
  });

  test('since its messages cannot be read: the old one stays', async () => {
    const world = await withFirstMessage();
    const bad = await renewed(world);
    bad.sendBytes(Buffer.of(255));
    await eventually(async () => expect(world.source.health()).toMatchObject({ code: 'bundle_invalid' }));
    await world.clock.advance(FIRST_MESSAGE_MS);
    await bad.cancelled;
    world.stream.send({ [OURS]: world.second });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
  });

  test('and the old one ends meanwhile: there is no third', async () => {
    const world = await withFirstMessage();
    const next = await renewed(world);
    world.stream.fail(status.UNAVAILABLE, 'gone');
    await eventually(async () => expect(world.source.health().state).toBe('degraded'));
    await world.clock.advance(FIRST_MESSAGE_MS - 1);
    expect(world.agent.streams.all).toHaveLength(2);
    next.send({ [OURS]: world.second });
    await world.changes.next();
    expect(world.source.health().state).toBe('up');
    expect(world.agent.streams.all).toHaveLength(2);
  });
});

test('close ends both of two streams', async () => {
  const world = await withFirstMessage();
  const next = await renewed(world);
  world.source.close();
  await Promise.all([world.stream.cancelled, next.cancelled]);
  expect(world.clock.timers).toBe(0);
});
