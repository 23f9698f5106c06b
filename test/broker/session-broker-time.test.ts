import { expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { createBroker } from '../../src/broker/broker.ts';
import type { PolicySet } from '../../src/policy/policy-set.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { createCountingUpstreams } from '../fakes/counting-upstreams.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusal } from '../support/errors.ts';
import { API_POLICY, compile, sessionWorldOf } from '../support/sdk-endpoints.ts';

const HOUR_MS = 3_600_000;

/** A broker between counted upstreams, and a session at it. */
async function startSession() {
  const clock = createFakeClock();
  const upstreams = await createCountingUpstreams(clock);
  const set: PolicySet = compile(API_POLICY);
  const { logger, audits } = createMemoryLog();
  const broker = createBroker({
    policies: () => set,
    svids: upstreams.svids,
    exchanger: upstreams.exchanger,
    clock,
    random: () => 0,
    logger,
    cacheSize: 100,
  });
  const world = sessionWorldOf(broker, clock);
  world.setPolicies(API_POLICY);
  return { ...world, ...(await world.open()), upstreams, audits };
}

test('10,000 requests over an hour make the calls that the cache predicts, and none gets what is about to end', async () => {
  const { clock, sessions, sessionBroker, secret, upstreams } = await startSession();
  let least = Number.POSITIVE_INFINITY;
  for (let request = 0; request < 10_000; request += 1) {
    const credentials = await sessionBroker.aws(sessions.authenticate(secret), 'models');
    least = Math.min(least, credentials.expiresAt - clock.now());
    await clock.advance(HOUR_MS / 10_000);
  }
  // They live for fifteen minutes and are fresh for ten.
  expect(upstreams.exchanges.all).toHaveLength(6);
  expect(least).toBeGreaterThanOrEqual(5 * 60_000);
});

test('a program that asks only when its credentials have ended is still known', async () => {
  const { clock, sessions, sessionBroker, secret } = await startSession();
  for (let time = 0; time < 20; time += 1) {
    const { expiresAt } = await sessionBroker.aws(sessions.authenticate(secret), 'models');
    await clock.advance(expiresAt - clock.now() + 10 * 60_000);
  }
  expect(sessions.size).toBe(1);
  await clock.advance(HOUR_MS);
  expect(sessions.size).toBe(0);
});

test('what is asked for in a session is audited with its ID, and what all share without', async () => {
  const { session, sessionBroker, broker, upstreams, audits, clock } = await startSession();
  await sessionBroker.aws(session, 'models');
  await sessionBroker.subjectToken(session, 'files');
  await broker.credentials({ component: 'api' }, 'models');
  const named = { component: 'api', outcome: 'ok', session: session.id };
  const all = audits();
  expect(all.map(({ action }) => action)).toEqual([
    'identity.mint',
    'credentials.exchange',
    'credentials.request',
    'identity.mint',
    'identity.request',
    'credentials.request',
  ]);
  expect(all[2]).toMatchObject({ ...named, grant: 'models' });
  expect(all[4]).toMatchObject(named);
  for (const index of [0, 1, 3, 5]) expect(all[index]).not.toHaveProperty('session');
  expect(all[1]).toMatchObject({ grant: 'models', spiffeId: 'spiffe://example.org/api', target: expect.any(String) });

  upstreams.exchange = new SvidxError('exchange_denied', 'no');
  await clock.advance(HOUR_MS);
  await refusal(sessionBroker.aws(session, 'models'));
  expect(audits().at(-1)).toMatchObject({ ...named, outcome: 'failed', code: 'exchange_denied', grant: 'models' });
});
