import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { API, openBroker } from '../support/broker.ts';

const PATIENCE = { minLifeMs: 300_000, waitMs: 600 };

/** Credentials that live for fifteen minutes, are fresh for ten, and are now in their eleventh. */
async function agedBroker() {
  const world = await openBroker();
  const first = await world.broker.credentials(API, 'models', PATIENCE);
  await world.clock.advance(11 * 60_000);
  return { ...world, first };
}

describe('a caller with patience', () => {
  test('has what is in hand at once while it is fresh', async () => {
    const { broker, clock, counts } = await openBroker();
    const first = await broker.credentials(API, 'models', PATIENCE);
    await clock.advance(9 * 60_000);
    expect(await broker.credentials(API, 'models', PATIENCE)).toBe(first);
    expect(counts().exchanges).toBe(1);
  });

  test('waits for newer ones where those in hand are about to end; one without does not', async () => {
    const { broker, first, clock, counts } = await agedBroker();
    const [impatient, patient] = await Promise.all([
      broker.credentials(API, 'models'),
      broker.credentials(API, 'models', PATIENCE),
    ]);
    expect(impatient).toBe(first);
    expect(patient.expiresAt - clock.now()).toBe(15 * 60_000);
    expect(counts().exchanges).toBe(2);
  });

  test('has those in hand when it takes too long, and leaves no timer', async () => {
    const { broker, first, upstreams, clock } = await agedBroker();
    upstreams.exchange = 'hang';
    await upstreams.exchanges.next();
    const before = clock.timers;
    const asked = broker.credentials(API, 'models', PATIENCE);
    await upstreams.exchanges.next();
    // Its own wait, and the limit of the exchange.
    expect(clock.timers).toBe(before + 2);
    await clock.advance(600);
    expect(await asked).toBe(first);
    expect(clock.timers).toBe(before + 1);
  });

  test('has those in hand when the target refuses', async () => {
    const { broker, first, upstreams } = await agedBroker();
    upstreams.exchange = new SvidxError('exchange_unavailable', 'away');
    expect(await broker.credentials(API, 'models', PATIENCE)).toBe(first);
  });

  test('does not wait where nothing is on its way: a failed refresh is not repeated for each', async () => {
    const { broker, first, upstreams, counts } = await agedBroker();
    upstreams.exchange = new SvidxError('exchange_unavailable', 'away');
    for (let time = 0; time < 5; time += 1) expect(await broker.credentials(API, 'models', PATIENCE)).toBe(first);
    expect(counts().exchanges).toBe(2);
  });

  test('waits for the cold ones as everybody does', async () => {
    const { broker, counts } = await openBroker();
    await Promise.all(Array.from({ length: 1_000 }, () => broker.credentials(API, 'models', PATIENCE)));
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
  });
});
