import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../../src/base/errors.ts';
import { keepSession } from '../../../src/commands/exec/keep-session.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import { createMemoryLog } from '../../fakes/log.ts';

const TTL_MS = 900_000;

function keep() {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const seen = { renewed: 0, revoked: 0, failure: undefined as SvidxError | undefined };
  const sessions = {
    async renew() {
      seen.renewed += 1;
      if (seen.failure !== undefined) throw seen.failure;
      return clock.now() + TTL_MS;
    },
    async revoke() {
      seen.revoked += 1;
      if (seen.failure !== undefined) throw seen.failure;
    },
  };
  const opened = { session: 'id', expiresAt: clock.now() + TTL_MS };
  return { clock, log, seen, end: keepSession(sessions, opened, clock, log.logger) };
}

describe('a session that is kept', () => {
  test('is renewed at a third of its time, for hours', async () => {
    const { clock, seen, end } = keep();
    await clock.advance(TTL_MS / 3 - 1);
    expect(seen.renewed).toBe(0);
    await clock.advance(1);
    expect(seen.renewed).toBe(1);
    await clock.advance(10 * TTL_MS);
    expect(seen.renewed).toBe(31);
    await end();
    expect([seen.revoked, clock.timers]).toEqual([1, 0]);
  });

  test('is tried again when it could not be renewed, and told', async () => {
    const { clock, log, seen } = keep();
    seen.failure = new SvidxError('service_unreachable', 'nobody there');
    await clock.advance(TTL_MS / 3 + 10_000);
    expect(seen.renewed).toBe(2);
    expect(log.entries().map(({ event }) => event)).toEqual(Array(2).fill('exec.session_not_renewed'));
    seen.failure = undefined;
    await clock.advance(10_000);
    await clock.advance(TTL_MS / 3 - 1);
    expect(seen.renewed).toBe(3);
  });

  test('ends without an error where it has ended already', async () => {
    const { log, seen, end } = keep();
    seen.failure = new SvidxError('session_invalid', 'no such session');
    await end();
    expect(log.entries()).toMatchObject([{ event: 'exec.session_not_revoked' }]);
  });
});
