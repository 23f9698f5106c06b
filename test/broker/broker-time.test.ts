import { describe, expect, test } from 'vitest';
import { type ErrorCode, SvidxError } from '../../src/base/errors.ts';
import { settle } from '../fakes/clock.ts';
import { API, openBroker } from '../support/broker.ts';
import { refusal, refusalCode } from '../support/errors.ts';

const A = ['a.example.org'] as const;
const SECOND = 1000;

describe('what is in use is renewed behind, ahead of its end', () => {
  test('a JWT-SVID at half of its life', async () => {
    const { broker, clock, upstreams, counts } = await openBroker();
    const first = await broker.identity(API, A);
    expect(await upstreams.minted.next()).toBe(first);
    await clock.advance(150 * SECOND - 1);
    expect(await broker.identity(API, A)).toBe(first);
    await settle();
    expect(counts().mints).toBe(1);

    await clock.advance(1);
    expect(await broker.identity(API, A)).toBe(first);
    const second = await upstreams.minted.next();
    await settle();
    expect(await broker.identity(API, A)).toBe(second);
    expect(second.expiresAt).toBe(first.expiresAt + 150 * SECOND);
    expect(counts().mints).toBe(2);
  });

  test('a JWT-SVID that lives an hour at half of its life too', async () => {
    const { broker, clock, upstreams, counts } = await openBroker();
    upstreams.svidTtl = 3600;
    await broker.identity(API, A);
    await clock.advance(1800 * SECOND - 1);
    await broker.identity(API, A);
    await settle();
    expect(counts().mints).toBe(1);
    await clock.advance(1);
    await broker.identity(API, A);
    await settle();
    expect(counts().mints).toBe(2);
  });

  test('credentials five minutes before their end, and the JWT-SVID for them as needed', async () => {
    const { broker, clock, upstreams, counts } = await openBroker();
    const first = await broker.credentials(API, 'models');
    expect(await upstreams.issued.next()).toBe(first);
    await clock.advance(600 * SECOND - 1);
    expect(await broker.credentials(API, 'models')).toBe(first);
    await settle();
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });

    await clock.advance(1);
    expect(await broker.credentials(API, 'models')).toBe(first);
    const second = await upstreams.issued.next();
    await settle();
    expect(await broker.credentials(API, 'models')).toBe(second);
    expect(second.expiresAt).toBe(first.expiresAt + 600 * SECOND);
    expect(counts()).toEqual({ mints: 2, exchanges: 2 });
  });

  test('a fifth of the fresh time earlier at most, at random, so that not all are renewed together', async () => {
    const { broker, clock, counts } = await openBroker({ random: () => 0.5 });
    await broker.identity(API, A);
    await clock.advance(150 * 0.9 * SECOND - 1);
    await broker.identity(API, A);
    await settle();
    expect(counts().mints).toBe(1);
    await clock.advance(1);
    await broker.identity(API, A);
    await settle();
    expect(counts().mints).toBe(2);
  });

  test('once, however many use it then', async () => {
    const { broker, clock, upstreams, counts } = await openBroker();
    await broker.credentials(API, 'models');
    await upstreams.issued.next();
    await clock.advance(601 * SECOND);
    await Promise.all(Array.from({ length: 1000 }, () => broker.credentials(API, 'models')));
    await upstreams.issued.next();
    await settle();
    await Promise.all(Array.from({ length: 1000 }, () => broker.credentials(API, 'models')));
    await settle();
    expect(counts()).toEqual({ mints: 2, exchanges: 2 });
  });

  test('but what nobody uses is left to expire', async () => {
    const { broker, clock, counts } = await openBroker();
    await broker.credentials(API, 'models');
    await clock.advance(3600 * SECOND);
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
    expect(clock.timers).toBe(0);
  });

  test('and a refresh that hangs delays nobody', async () => {
    const { broker, clock, upstreams } = await openBroker();
    const first = await broker.credentials(API, 'models');
    upstreams.exchange = 'hang';
    await clock.advance(700 * SECOND);
    expect(await broker.credentials(API, 'models')).toBe(first);
    await clock.advance(29 * SECOND);
    expect(await broker.credentials(API, 'models')).toBe(first);
  });
});

describe('while an upstream is down', () => {
  const down = new SvidxError('identity_unavailable', 'the agent is away');

  test('credentials serve to their last safe second; then the error says what is wrong', async () => {
    const { broker, clock, upstreams } = await openBroker();
    const first = await broker.credentials(API, 'models');
    upstreams.mint = down;
    for (let second = 0; second < 889; second += 1) {
      await clock.advance(SECOND);
      expect(await broker.credentials(API, 'models')).toBe(first);
    }
    await clock.advance(SECOND - 1);
    expect(await broker.credentials(API, 'models')).toBe(first);
    await clock.advance(1);
    expect(first.expiresAt - clock.now()).toBe(10 * SECOND);
    expect(await refusal(broker.credentials(API, 'models'))).toBe(down);

    upstreams.mint = 'answer';
    await clock.advance(500);
    expect((await broker.credentials(API, 'models')).expiresAt).toBeGreaterThan(first.expiresAt);
  });

  test('a JWT-SVID serves to its last safe second', async () => {
    const { broker, clock, upstreams } = await openBroker();
    const first = await broker.identity(API, A);
    upstreams.mint = down;
    await clock.advance(290 * SECOND - 1);
    expect(await broker.identity(API, A)).toBe(first);
    await clock.advance(1);
    expect(await refusalCode(broker.identity(API, A))).toBe('identity_unavailable');
  });

  test('the attempts to renew become rarer, and each is logged, without the value in hand', async () => {
    const { broker, clock, upstreams, counts, log } = await openBroker();
    await broker.identity(API, A);
    upstreams.mint = down;
    await clock.advance(150 * SECOND);
    for (let second = 0; second < 100; second += 1) {
      await broker.identity(API, A);
      await settle();
      await clock.advance(SECOND);
    }
    // Waits of 0.5, 1, 2, 4, 8, 16, 30 and 30 seconds, each until the next use: at 0, 1, 2, 4, 8, 16, 32, 62 and 92.
    expect(counts().mints - 1).toBe(9);
    const warnings = log.entries().filter(({ event }) => event === 'cache.refresh_failed');
    expect(warnings).toHaveLength(9);
    expect(warnings[0]).toMatchObject({ level: 'warn', error: { code: 'identity_unavailable' } });
  });

  test('a grant that is in memory does not need SPIRE', async () => {
    const { broker, clock, upstreams } = await openBroker();
    await broker.credentials(API, 'models');
    upstreams.mint = down;
    await clock.advance(599 * SECOND);
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws' });
    expect(upstreams.mints.all).toHaveLength(1);
  });
});

describe('a failure is remembered briefly', () => {
  const refused: ErrorCode[] = ['identity_not_found', 'identity_mismatch', 'identity_delegate_unauthorized'];
  test.each([...refused.map((code) => [code, 2 * SECOND] as const), ['identity_unavailable', 500] as const])(
    '%s of an identity for %i ms, then it is asked again',
    async (code, ms) => {
      const { broker, clock, upstreams, counts } = await openBroker();
      upstreams.mint = new SvidxError(code, 'no');
      expect(await refusalCode(broker.identity(API, A))).toBe(code);
      upstreams.mint = 'answer';
      await clock.advance(ms - 1);
      expect(await refusalCode(broker.identity(API, A))).toBe(code);
      expect(counts().mints).toBe(1);
      await clock.advance(1);
      expect((await broker.identity(API, A)).audience).toEqual(A);
      expect(counts().mints).toBe(2);
    },
  );

  test.each([
    ['exchange_denied', 2 * SECOND],
    ['exchange_token_rejected', 2 * SECOND],
    ['exchange_throttled', 500],
    ['exchange_unavailable', 500],
  ] as const)('%s of an exchange for %i ms, then it is asked again', async (code, ms) => {
    const { broker, clock, upstreams, counts } = await openBroker();
    upstreams.exchange = new SvidxError(code, 'no');
    expect(await refusalCode(broker.credentials(API, 'models'))).toBe(code);
    upstreams.exchange = 'answer';
    await clock.advance(ms - 1);
    expect(await refusalCode(broker.credentials(API, 'models'))).toBe(code);
    expect(counts().exchanges).toBe(1);
    await clock.advance(1);
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws' });
    expect(counts().exchanges).toBe(2);
  });

  test('not for another audience, grant or component', async () => {
    const { broker, upstreams } = await openBroker();
    upstreams.mint = new SvidxError('identity_not_found', 'no');
    expect(await refusalCode(broker.identity(API, A))).toBe('identity_not_found');
    upstreams.mint = 'answer';
    expect((await broker.identity(API, ['b.example.org'])).audience).toEqual(['b.example.org']);
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws' });
  });

  test('not a defect of ours: the next caller asks anew', async () => {
    const { broker, upstreams, counts } = await openBroker();
    upstreams.mint = new SvidxError('internal_error', 'oops');
    expect(await refusalCode(broker.identity(API, A))).toBe('internal_error');
    upstreams.mint = 'answer';
    await broker.identity(API, A);
    expect(counts().mints).toBe(2);
  });
});

describe('an upstream that hangs', () => {
  test('is given up after 30 seconds: each waiter is released with what did not answer', async () => {
    const { broker, clock, upstreams, counts } = await openBroker();
    upstreams.mint = 'hang';
    const waiting = Array.from({ length: 100 }, () => refusal(broker.identity(API, A)));
    const { signal } = await upstreams.mints.next();
    await clock.advance(30 * SECOND - 1);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    expect(signal.aborted).toBe(true);
    for (const error of await Promise.all(waiting)) {
      expect(error).toMatchObject({ code: 'identity_unavailable', message: 'no answer within 30 seconds' });
    }
    expect(counts().mints).toBe(1);
    expect(clock.timers).toBe(0);

    upstreams.mint = 'answer';
    await clock.advance(500);
    expect((await broker.identity(API, A)).audience).toEqual(A);
  });

  test('at the exchange is given up after 30 seconds', async () => {
    const { broker, clock, upstreams } = await openBroker();
    upstreams.exchange = 'hang';
    const waiting = Array.from({ length: 100 }, () => refusal(broker.credentials(API, 'models')));
    const { signal } = await upstreams.exchanges.next();
    await clock.advance(30 * SECOND);
    expect(signal.aborted).toBe(true);
    for (const error of await Promise.all(waiting)) {
      expect(error).toMatchObject({ code: 'exchange_unavailable', message: 'no answer within 30 seconds' });
    }
    expect(clock.timers).toBe(0);
  });

  test('at the identity releases who waits for credentials too, and no exchange is tried', async () => {
    const { broker, clock, upstreams, counts, log } = await openBroker();
    upstreams.mint = 'hang';
    const waiting = refusal(broker.credentials(API, 'models'));
    await upstreams.mints.next();
    await clock.advance(30 * SECOND);
    expect((await waiting).message).toBe('no answer within 30 seconds');
    expect(counts()).toEqual({ mints: 1, exchanges: 0 });
    await settle();
    expect(log.audits()).toContainEqual(
      expect.objectContaining({ action: 'identity.mint', outcome: 'failed', code: 'identity_unavailable' }),
    );
    expect(clock.timers).toBe(0);
  });
});
