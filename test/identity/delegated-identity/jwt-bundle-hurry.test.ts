import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { settle } from '../../fakes/clock.ts';
import {
  type BundleStream,
  FIRST_MESSAGE_MS,
  keyIds,
  openBundleStream,
  rotations,
  waits,
} from '../../support/bundle-stream.ts';

const OURS = 'spiffe://example.org';

/** A source whose stream has failed so often that the next attempt is seconds away. */
async function waitingLong(): Promise<BundleStream> {
  const world = await openBundleStream({
    prepare: (agent) => {
      agent.onStream = (stream) => stream.fail(status.UNAVAILABLE, 'gone');
    },
  });
  expect(await waits(world.clock, 7)).toEqual([150, 300, 600, 1200, 2400, 4800, 7500]);
  expect(await world.clock.nextDelay()).toBe(FIRST_MESSAGE_MS);
  expect(await world.clock.nextDelay()).toBe(7_500);
  expect(world.agent.streams.all).toHaveLength(8);
  return world;
}

describe('a token that was signed with a key that is not held', () => {
  test('ends the wait for the next attempt', async () => {
    const world = await waitingLong();
    const [jwkSet = ''] = await rotations(1);
    world.agent.onStream = (stream) => stream.send({ [OURS]: jwkSet });
    world.source.hurry();
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(jwkSet));
    expect(world.agent.streams.all).toHaveLength(9);
  });

  test('does so no more than once in a second, however many there are', async () => {
    const world = await waitingLong();
    const hurry = async (): Promise<void> => {
      for (let token = 0; token < 100; token += 1) world.source.hurry();
      await settle();
    };
    await hurry();
    expect(await world.clock.nextDelay()).toBe(FIRST_MESSAGE_MS);
    expect(await world.clock.nextDelay()).toBe(7_500);
    expect(world.agent.streams.all).toHaveLength(9);
    const started = world.clock.delays.length;
    await world.clock.advance(999);
    await hurry();
    // To open a stream is to start the timer for its first message.
    expect(world.clock.delays).toHaveLength(started);
    await world.clock.advance(1);
    await hurry();
    expect(world.clock.delays.length).toBeGreaterThan(started);
    expect(await world.clock.nextDelay()).toBe(FIRST_MESSAGE_MS);
    expect(await world.clock.nextDelay()).toBe(7_500);
    expect(world.agent.streams.all).toHaveLength(10);
  });

  test('opens nothing beside a stream that is open: that one will bring the key', async () => {
    const world = await openBundleStream();
    const stream = await world.nextStream();
    world.source.hurry();
    const [jwkSet = ''] = await rotations(1);
    stream.send({ [OURS]: jwkSet });
    await world.changes.next();
    world.source.hurry();
    await settle();
    expect(world.agent.streams.all).toHaveLength(1);
  });

  test('wakes nobody who is closed', async () => {
    const world = await waitingLong();
    world.source.close();
    world.source.hurry();
    await settle();
    expect(world.clock.timers).toBe(0);
    expect(world.agent.streams.all).toHaveLength(8);
  });
});
