import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, isErrorCode, SvidxError } from '../../src/base/errors.ts';
import type { JwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { settle } from '../fakes/clock.ts';
import { API, API_POLICY, openBroker, type TestBroker } from '../support/broker.ts';
import { refusal, refusalCode } from '../support/errors.ts';

const STS = ['sts.amazonaws.com'] as const;
const SECOND = 1000;

/** For how long a refused exchange is answered from memory. */
const REMEMBERED_MS = 2 * SECOND;

const rejected = new SvidxError('exchange_token_rejected', 'the key is unknown');

/** A broker whose JWT-SVID, `first`, has just been rejected, and the refusal is forgotten again. */
async function afterRejection(): Promise<TestBroker & { readonly first: JwtSvid }> {
  const world = await openBroker();
  world.upstreams.exchange = rejected;
  expect(await refusal(world.broker.credentials(API, 'models'))).toBe(rejected);
  const first = await world.upstreams.minted.next();
  await settle();
  expect(world.counts()).toEqual({ mints: 1, exchanges: 1 });
  await world.clock.advance(REMEMBERED_MS);
  return { ...world, first };
}

/** The tokens that were sent to be exchanged, in order. */
function sent({ upstreams }: TestBroker): readonly JwtSvid[] {
  return upstreams.exchanges.all.map(({ subjectToken }) => subjectToken);
}

describe('a JWT-SVID that a cloud rejects', () => {
  test('is renewed at its next use, behind it: the use after that has the new one', async () => {
    const world = await afterRejection();
    const { broker, upstreams, clock, counts, first } = world;
    expect(await refusalCode(broker.credentials(API, 'models'))).toBe('exchange_token_rejected');
    const second = await upstreams.minted.next();
    expect(counts()).toEqual({ mints: 2, exchanges: 2 });

    upstreams.exchange = 'answer';
    await clock.advance(REMEMBERED_MS);
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws' });
    await settle();
    expect(sent(world).map((svid) => [first, second].indexOf(svid))).toEqual([0, 0, 1]);
    expect(second.sha256).not.toBe(first.sha256);
    expect(counts()).toEqual({ mints: 2, exchanges: 3 });
  });

  test('is renewed also when the component itself is who uses it next', async () => {
    const { broker, upstreams, counts, first } = await afterRejection();
    expect(await broker.identity(API, STS)).toBe(first);
    const second = await upstreams.minted.next();
    await settle();
    expect(await broker.identity(API, STS)).toBe(second);
    expect(counts()).toEqual({ mints: 2, exchanges: 1 });
  });

  test('is not renewed while nobody uses it', async () => {
    const { clock, counts } = await afterRejection();
    await clock.advance(3600 * SECOND);
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
    expect(clock.timers).toBe(0);
  });

  test('is renewed once, however many are refused and come again', async () => {
    const { broker, upstreams, clock, counts } = await openBroker();
    upstreams.exchange = rejected;
    const askAll = () =>
      Promise.all(Array.from({ length: 1000 }, () => refusalCode(broker.credentials(API, 'models'))));
    expect(new Set(await askAll())).toEqual(new Set(['exchange_token_rejected']));
    await clock.advance(REMEMBERED_MS);
    await askAll();
    await settle();
    expect(counts()).toEqual({ mints: 2, exchanges: 2 });
  });

  test('does not cost the credentials in hand', async () => {
    const { broker, upstreams, clock } = await openBroker();
    const held = await broker.credentials(API, 'models');
    upstreams.exchange = rejected;
    for (let second = 0; second < 889; second += 1) {
      await clock.advance(SECOND);
      expect(await broker.credentials(API, 'models')).toBe(held);
    }
    expect(upstreams.mints.all.length).toBeGreaterThan(2);
  });
});

describe('the value in hand is never dropped', () => {
  test.each<[string, SvidxError | 'hang']>([
    ['SPIRE is away', new SvidxError('identity_unavailable', 'the agent is away')],
    ['SPIRE refuses', new SvidxError('identity_not_found', 'no entry')],
    ['SPIRE does not answer', 'hang'],
  ])('when %s, not before its own end', async (_, behaviour) => {
    const { broker, upstreams, clock, log, first } = await afterRejection();
    upstreams.mint = behaviour;
    // It lives 300 seconds, of which the last 10 are not safe; 2 are gone.
    for (let second = 2; second < 289; second += 1) {
      expect(await broker.identity(API, STS)).toBe(first);
      await clock.advance(SECOND);
    }
    expect(await broker.identity(API, STS)).toBe(first);
    expect(upstreams.mints.all.length).toBeGreaterThan(1);
    expect(log.entries().filter(({ event }) => event === 'cache.refresh_failed').length).toBeGreaterThan(0);

    // A control: it is gone at its end.
    await clock.advance(SECOND);
    const ended = broker.identity(API, STS).catch(() => 'refused');
    await clock.advance(30 * SECOND);
    expect(await ended).toBe('refused');
  });

  test('and exchanges go on with it', async () => {
    const world = await afterRejection();
    const { broker, upstreams } = world;
    upstreams.mint = new SvidxError('identity_unavailable', 'the agent is away');
    upstreams.exchange = 'answer';
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws' });
    expect(sent(world).every((svid) => svid === world.first)).toBe(true);
  });
});

describe('nothing is renewed', () => {
  const others = Object.keys(ERROR_CODES)
    .filter(isErrorCode)
    .filter((code) => code.startsWith('exchange_') && code !== 'exchange_token_rejected');

  test.each<ErrorCode>([...others, 'internal_error'])('by %s, which says nothing about the token', async (code) => {
    const { broker, upstreams, clock, counts } = await openBroker();
    upstreams.exchange = new SvidxError(code, 'no');
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await refusalCode(broker.credentials(API, 'models'))).toBe(code);
      await settle();
      await clock.advance(REMEMBERED_MS);
    }
    expect(counts()).toEqual({ mints: 1, exchanges: 3 });
  });

  test('of another audience or another component', async () => {
    const ledger = `
component: ledger
spiffeId: spiffe://example.org/ledger
selectors: [wasmcloud:component:ledger]
audiences: [sts.amazonaws.com]
`;
    const { broker, upstreams, setPolicies, counts } = await openBroker();
    setPolicies(API_POLICY, ledger);
    const mine = await broker.identity(API, ['a.example.org']);
    const theirs = await broker.identity({ component: 'ledger' }, STS);
    upstreams.exchange = rejected;
    expect(await refusalCode(broker.credentials(API, 'models'))).toBe('exchange_token_rejected');
    expect(await broker.identity(API, ['a.example.org'])).toBe(mine);
    expect(await broker.identity({ component: 'ledger' }, STS)).toBe(theirs);
    await settle();
    expect(counts()).toEqual({ mints: 3, exchanges: 1 });
  });
});

test('no token is in what is logged of it', async () => {
  const { broker, upstreams, log } = await afterRejection();
  await refusal(broker.credentials(API, 'models'));
  await upstreams.minted.next();
  expect(upstreams.secrets).toHaveLength(2);
  for (const secret of upstreams.secrets) expect(log.lines.join('')).not.toContain(secret);
  expect(log.audits()).toContainEqual(
    expect.objectContaining({ action: 'credentials.exchange', outcome: 'failed', code: 'exchange_token_rejected' }),
  );
});
