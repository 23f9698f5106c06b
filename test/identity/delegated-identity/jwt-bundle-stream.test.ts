import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { settle } from '../../fakes/clock.ts';
import {
  type BundleStream,
  FIRST_MESSAGE_MS,
  keyIds,
  openBundleStream,
  rotations,
} from '../../support/bundle-stream.ts';
import { eventually } from '../../support/eventually.ts';

const OURS = 'spiffe://example.org';

/** The wait before the stream is opened again, once the one that is open has ended; after it the next one is open. */
async function nextWait({ clock }: BundleStream): Promise<number> {
  expect(await clock.nextDelay()).toBe(FIRST_MESSAGE_MS);
  const waitMs = await clock.nextDelay();
  await clock.advance(waitMs);
  return waitMs;
}

async function waits(world: BundleStream, count: number): Promise<number[]> {
  const all: number[] = [];
  while (all.length < count) all.push(await nextWait(world));
  return all;
}

describe('a stream that ends is opened again', () => {
  test('for ever, with waits that double up to ten seconds', async () => {
    const world = await openBundleStream();
    world.agent.onStream = (stream) => stream.fail(status.UNAVAILABLE, 'gone');
    // Of each wait the upper half is random; `random` is 0.5 here.
    expect(await waits(world, 12)).toEqual([150, 300, 600, 1200, 2400, 4800, ...Array(6).fill(7500)]);
  });

  test.each([
    [0, [100, 200, 400, 800, 1600, 3200, 5000, 5000]],
    [1 - Number.EPSILON, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]],
  ])('with jitter: random %d gives waits of %j', async (random, expected) => {
    const world = await openBundleStream({ random: () => random });
    world.agent.onStream = (stream) => stream.fail(status.UNAVAILABLE, 'gone');
    expect((await waits(world, expected.length)).map(Math.round)).toEqual(expected);
  });

  test('soon again after a good message, since the waits start over then', async () => {
    const [first = ''] = await rotations(1);
    const world = await openBundleStream();
    let bring = false;
    world.agent.onStream = (stream) => {
      if (bring) stream.send({ [OURS]: first });
      stream.fail(status.UNAVAILABLE, 'gone');
    };
    expect(await waits(world, 4)).toEqual([150, 300, 600, 1200]);
    bring = true;
    // The stream that was opened last did not bring anything yet.
    expect(await waits(world, 2)).toEqual([2400, 150]);
    bring = false;
    expect(await waits(world, 3)).toEqual([150, 300, 600]);
    expect(world.keys('example.org')).toEqual(keyIds(first));
  });

  test('but no sooner after a message that cannot be read', async () => {
    const world = await openBundleStream();
    world.agent.onStream = (stream) => {
      stream.sendBytes(Buffer.of(255));
      stream.fail(status.UNAVAILABLE, 'gone');
    };
    expect(await waits(world, 4)).toEqual([150, 300, 600, 1200]);
    expect(world.logged('bundles.bad_message').length).toBeGreaterThan(0);
  });

  test('also when the agent closes it in good order', async () => {
    const world = await openBundleStream();
    world.agent.onStream = (stream) => stream.end();
    expect(await waits(world, 2)).toEqual([150, 300]);
    expect(world.logged('bundles.stream_ended')).toMatchObject([
      { error: { code: 'identity_unavailable', message: 'the SPIRE agent closed the bundle stream' } },
    ]);
  });

  test('also when the agent restarts; keys stay meanwhile, and are replaced then', async () => {
    const [first = '', second = ''] = await rotations(2);
    const world = await openBundleStream();
    const stream = await world.nextStream();
    stream.send({ [OURS]: first });
    await world.changes.next();
    await world.agent.stop();
    for (let attempt = 0; attempt < 5; attempt += 1) await nextWait(world);
    expect(world.keys('example.org')).toEqual(keyIds(first));

    world.agent.onStream = (again) => again.send({ [OURS]: second });
    await world.agent.start();
    await eventually(async () => {
      await world.clock.advance(10_000);
      expect(world.keys('example.org')).toEqual(keyIds(second));
    });
    expect(world.logged('bundles.stream_ended')).toHaveLength(1);
  });
});

describe('a stream that is silent', () => {
  test('from the start is cut after the time limit, and opened again', async () => {
    const world = await openBundleStream();
    const silent = await world.nextStream();
    await world.clock.advance(FIRST_MESSAGE_MS - 1);
    expect(world.agent.streams.all).toHaveLength(1);
    await world.clock.advance(1);
    await silent.cancelled;
    expect(world.logged('bundles.stream_ended')).toMatchObject([
      { level: 'warn', error: { code: 'identity_unavailable', message: 'the SPIRE agent sent no bundle in time' } },
    ]);
    await world.clock.advance(150);
    const [first = ''] = await rotations(1);
    (await world.nextStream()).send({ [OURS]: first });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(first));
  });

  test('after its first message is left alone, as long as it lasts', async () => {
    const [first = ''] = await rotations(1);
    const world = await openBundleStream();
    (await world.nextStream()).send({ [OURS]: first });
    await world.changes.next();
    await world.clock.advance(7 * 24 * 3600_000);
    expect(world.clock.timers).toBe(0);
    expect(world.agent.streams.all).toHaveLength(1);
  });
});

describe('the log', () => {
  test('has one line for each kind of trouble, not one for each attempt', async () => {
    const [first = ''] = await rotations(1);
    const world = await openBundleStream();
    const fail = async (code: status, message: string, times: number): Promise<void> => {
      world.agent.onStream = (stream) => stream.fail(code, message);
      await waits(world, times);
    };
    const refused = [status.PERMISSION_DENIED, 'caller not configured as an authorized delegate'] as const;
    await fail(status.UNAVAILABLE, 'x', 5);
    await fail(...refused, 5);
    // The same trouble after a good message is news again.
    world.agent.onStream = (stream) => {
      stream.send({ [OURS]: first });
      stream.fail(...refused);
      world.agent.onStream = (next) => next.fail(...refused);
    };
    await waits(world, 5);
    const codes = world.logged('bundles.stream_ended').map(({ error }) => Object(error).code);
    expect(codes).toEqual(['identity_unavailable', 'identity_delegate_unauthorized', 'identity_delegate_unauthorized']);
    expect(world.logged('bundles.changed')).toHaveLength(1);
  });

  test('names a caller whom the agent does not accept as what it is', async () => {
    const world = await openBundleStream();
    world.agent.onStream = (stream) => stream.fail(status.PERMISSION_DENIED, 'no identity issued');
    await waits(world, 1);
    expect(world.logged('bundles.stream_ended')).toMatchObject([{ error: { code: 'identity_delegate_unauthorized' } }]);
  });
});

describe('the log says that the stream is back', () => {
  /** How many lines there are of its end and of its return, as far as they have come. */
  const ends = (world: BundleStream): number[] =>
    ['bundles.stream_ended', 'bundles.stream_resumed'].map((event) => world.logged(event).length);

  test('once, with the first good message after trouble, and again after the next trouble', async () => {
    const [first = '', second = '', third = ''] = await rotations(3);
    const world = await openBundleStream();
    const stream = await world.nextStream();
    stream.send({ [OURS]: first });
    await world.changes.next();
    stream.fail(status.UNAVAILABLE, 'gone');
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await nextWait(world);
      (await world.nextStream()).fail(status.UNAVAILABLE, 'gone');
    }
    await nextWait(world);
    const back = await world.nextStream();
    expect(ends(world)).toEqual([1, 0]);

    for (const bundle of [second, third]) {
      back.send({ [OURS]: bundle });
      await world.changes.next();
      expect(ends(world)).toEqual([1, 1]);
    }
    expect(world.logged('bundles.stream_resumed')).toMatchObject([{ level: 'info' }]);

    back.fail(status.UNAVAILABLE, 'gone');
    await nextWait(world);
    (await world.nextStream()).send({ [OURS]: first });
    await world.changes.next();
    expect(ends(world)).toEqual([2, 2]);
  });

  test('also when it brings nothing new', async () => {
    const [first = '', second = ''] = await rotations(2);
    const world = await openBundleStream();
    const stream = await world.nextStream();
    stream.send({ [OURS]: first });
    await world.changes.next();
    stream.fail(status.UNAVAILABLE, 'gone');
    await nextWait(world);
    const back = await world.nextStream();
    back.send({ [OURS]: first });
    back.send({ [OURS]: second });
    await world.changes.next();
    expect(world.changes.all).toHaveLength(2);
    expect(ends(world)).toEqual([1, 1]);
  });

  test('but not of a stream that was never gone, nor of a message that cannot be read', async () => {
    const [first = '', second = ''] = await rotations(2);
    const world = await openBundleStream();
    const stream = await world.nextStream();
    stream.send({ [OURS]: first });
    stream.send({ [OURS]: second });
    await world.changes.next();
    await world.changes.next();
    expect(ends(world)).toEqual([0, 0]);

    world.agent.onStream = (next) => {
      next.sendBytes(Buffer.of(255));
      next.fail(status.UNAVAILABLE, 'gone');
    };
    stream.fail(status.UNAVAILABLE, 'gone');
    await waits(world, 3);
    expect(world.logged('bundles.bad_message').length).toBeGreaterThan(0);
    expect(ends(world)).toEqual([1, 0]);
  });
});

describe('close', () => {
  test('ends an open stream, at the agent too, and nothing is opened after', async () => {
    const [first = '', second = ''] = await rotations(2);
    const world = await openBundleStream();
    const stream = await world.nextStream();
    stream.send({ [OURS]: first });
    await world.changes.next();
    world.source.close();
    await stream.cancelled;
    stream.send({ [OURS]: second });
    await world.clock.advance(3600_000);
    expect(world.clock.timers).toBe(0);
    expect(world.agent.streams.all).toHaveLength(1);
    expect(world.keys('example.org')).toEqual(keyIds(first));
    expect(world.changes.all).toHaveLength(1);
    expect(world.logged('bundles.stream_ended')).toEqual([]);
  });

  test('ends a stream that has not brought anything yet', async () => {
    const world = await openBundleStream();
    const stream = await world.nextStream();
    world.source.close();
    await stream.cancelled;
    expect(world.clock.timers).toBe(0);
  });

  test('ends a wait, and may be called again', async () => {
    const world = await openBundleStream();
    world.agent.onStream = (stream) => stream.fail(status.UNAVAILABLE, 'gone');
    await world.clock.nextDelay();
    await world.clock.nextDelay();
    world.source.close();
    world.source.close();
    expect(world.clock.timers).toBe(0);
    await world.clock.advance(3600_000);
    await settle();
    expect(world.agent.streams.all).toHaveLength(1);
  });
});
