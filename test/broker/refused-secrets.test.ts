import { describe, expect, test } from 'vitest';
import { QUIET_MS } from '../../src/broker/refused-secrets.ts';
import { refusalCode } from '../support/errors.ts';
import { findLeaks } from '../support/find-leaks.ts';
import { startEndpoints, startSessionWorld, TTL_MS } from '../support/sdk-endpoints.ts';

const UNKNOWN = `${'u'.repeat(22)}.${'v'.repeat(43)}`;

function start() {
  const world = startSessionWorld();
  return {
    ...world,
    async refuse(secret: string, times = 1): Promise<void> {
      for (let index = 0; index < times; index += 1) {
        expect(await refusalCode(() => world.sessions.authenticate(secret))).toBe('session_invalid');
      }
    },
    /** What was audited of refusals, without what all of them have. */
    events() {
      return world.log
        .audits()
        .filter(({ action }) => action === 'session.refuse')
        .map(({ action, outcome, code, durationMs, ...others }) => {
          expect([outcome, code, durationMs]).toEqual(['failed', 'session_invalid', 0]);
          return others;
        });
    },
  };
}

describe('a secret that is of no session', () => {
  test('is audited at once, without the secret', async () => {
    const { refuse, events, log } = start();
    await refuse(UNKNOWN);
    expect(events()).toEqual([{ count: 1 }]);
    expect(findLeaks(log.lines.join('\n'), [UNKNOWN])).toEqual([]);
    expect(log.lines.join()).not.toMatch(/uuuuuuuuuu|vvvvvvvvvv/);
  });

  test('names the open session that it says to be of, and not one that has ended', async () => {
    const { refuse, events, open, sessions, clock, log } = start();
    const { session, secret } = await open();
    const wrong = `${session.id}.${'A'.repeat(43)}`;
    await refuse(wrong);
    expect(events()).toEqual([{ component: 'api', session: session.id, count: 1 }]);
    await clock.advance(QUIET_MS);
    await sessions.revoke(session.id);
    await refuse(secret);
    expect(events().at(-1)).toEqual({ count: 1 });
    await clock.advance(TTL_MS);
    expect(findLeaks(log.lines.join('\n'), [secret.slice(23), wrong.slice(23)])).toEqual([]);
  });

  test('is not audited where it is right', async () => {
    const { sessions, open, events } = start();
    const { secret } = await open();
    sessions.authenticate(secret);
    expect(events()).toEqual([]);
  });
});

describe('a flood of them', () => {
  test('is told once in ten seconds, by its number', async () => {
    const { refuse, events, clock } = start();
    await refuse(UNKNOWN, 10_000);
    expect(events()).toEqual([{ count: 1 }]);
    expect(clock.timers).toBe(1);
    await clock.advance(QUIET_MS - 1);
    await refuse(UNKNOWN);
    expect(events()).toHaveLength(1);
    await clock.advance(1);
    expect(events()).toEqual([{ count: 1 }, { count: 10_000 }]);
    // And goes on being quiet from there.
    await refuse(UNKNOWN, 2);
    await clock.advance(QUIET_MS);
    expect(events().slice(2)).toEqual([{ count: 2 }]);
    expect(clock.timers).toBe(0);
    await clock.advance(QUIET_MS);
    await refuse(UNKNOWN);
    expect(events().slice(3)).toEqual([{ count: 1 }]);
  });

  test('names a session where all that are counted say to be of it', async () => {
    const { refuse, events, open, clock } = start();
    const { session } = await open();
    const wrong = `${session.id}.${'A'.repeat(43)}`;
    await refuse(UNKNOWN);
    await refuse(wrong, 3);
    await clock.advance(QUIET_MS);
    await refuse(wrong);
    await refuse(UNKNOWN);
    await clock.advance(QUIET_MS);
    expect(events()).toEqual([{ count: 1 }, { component: 'api', session: session.id, count: 3 }, { count: 2 }]);
  });

  test('is told to its end when the sessions are closed, and leaves no timer', async () => {
    const { refuse, events, sessions, clock } = start();
    await refuse(UNKNOWN, 6);
    sessions.close();
    await Promise.resolve();
    expect(events()).toEqual([{ count: 1 }, { count: 5 }]);
    expect(clock.timers).toBe(0);
  });
});

test('over HTTP it is the same for each of the endpoints', async () => {
  const { open, aws, azure, gcp, clock, log } = await startEndpoints();
  const { session, secret } = await open();
  const wrong = `${session.id}.${'A'.repeat(43)}`;
  for (const ask of [
    () => aws(wrong, 'models'),
    () => azure(wrong, 'api-version=2019-08-01&resource=x'),
    () => gcp(wrong, 'files'),
  ]) {
    expect((await ask()).status).toBe(401);
    expect(log.audits().at(-1)).toMatchObject({ action: 'session.refuse', session: session.id, count: 1 });
    await clock.advance(QUIET_MS);
  }
  expect(log.audits().filter(({ action }) => action === 'session.refuse')).toHaveLength(3);
  expect((await aws(secret, 'models')).status).toBe(200);
  expect(findLeaks(log.lines.join('\n'), [secret, wrong])).toEqual([]);
});
