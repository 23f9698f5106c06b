import { describe, expect, test } from 'vitest';
import { type ErrorCode, SvidxError } from '../../src/base/errors.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import { settle } from '../fakes/clock.ts';
import { openBroker, type TestBroker } from '../support/broker.ts';
import { refusal } from '../support/errors.ts';
import { pseudoRandom } from '../support/pseudo-random.ts';

const SECOND = 1000;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

/** Nobody may wait longer than this for a fix to show. Milliseconds. */
const SHOWS_WITHIN = 5 * SECOND;

function policy(name: string): string {
  return [
    `component: ${name}`,
    `spiffeId: spiffe://example.org/${name}`,
    `selectors: [wasmcloud:component:${name}]`,
    `grants: { models: { aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1, duration: 15m } } }`,
  ].join('\n');
}

interface GuardedBroker extends TestBroker {
  /** What each component gets now. */
  askAll(): Promise<Credentials>[];
}

/** A broker for several components, before one target with its budget, its pauses and its breaker. */
async function open(random: () => number): Promise<GuardedBroker> {
  const world = await openBroker({ policies: NAMES.map(policy), random, guarded: true });
  return {
    ...world,
    askAll: () =>
      NAMES.map((name) => {
        const asking = world.broker.credentials({ component: name }, 'models');
        asking.catch(() => {});
        return asking;
      }),
  };
}

/** Milliseconds until every component has credentials again, each asking ten times a second. */
async function untilAllAreServed({ askAll, clock }: GuardedBroker): Promise<number> {
  const start = clock.now();
  for (;;) {
    const results = await Promise.allSettled(askAll());
    if (results.every(({ status }) => status === 'fulfilled')) return clock.now() - start;
    if (clock.now() - start > 60 * SECOND) return Number.POSITIVE_INFINITY;
    await clock.advance(100);
  }
}

const MINT_FAULTS: readonly (ErrorCode | 'hang')[] = [
  'identity_unavailable',
  'identity_not_found',
  'identity_mismatch',
  'identity_delegate_unauthorized',
  'identity_request_rejected',
  'identity_response_invalid',
  'hang',
];
const EXCHANGE_FAULTS: readonly (ErrorCode | 'hang')[] = [
  'exchange_unavailable',
  'exchange_throttled',
  'exchange_denied',
  'exchange_token_rejected',
  'exchange_request_rejected',
  'exchange_response_invalid',
  'hang',
];
const FAULTS = [
  ...MINT_FAULTS.map((fault) => ['mint', fault] as const),
  ...EXCHANGE_FAULTS.map((fault) => ['exchange', fault] as const),
];

/** Seconds after the credentials came: new; about to be renewed; due for it; late; about to end. */
const PHASES = [1, 599, 601, 750, 885];

/** Credentials of 15 minutes are served up to ten seconds before their end. */
const SERVED_SECONDS = 890;

describe.each(FAULTS)('%s fails (%s)', (upstream, fault) => {
  test.each(PHASES)('from second %i on: no valid credential is lost, and a fix shows at once', async (phase) => {
    const world = await open(() => 0);
    const { askAll, clock, upstreams } = world;
    const start = clock.now();
    const first = await Promise.all(askAll());
    await clock.advance(phase * SECOND);

    upstreams[upstream] = fault === 'hang' ? 'hang' : new SvidxError(fault, 'it fails');
    const usableUntil = start + SERVED_SECONDS * SECOND;
    while (clock.now() < usableUntil) {
      const served = await Promise.all(askAll());
      expect(served.every((credentials, index) => credentials === first[index])).toBe(true);
      await clock.advance(Math.min(SECOND, usableUntil - clock.now()));
    }

    const failing = askAll().map((asking) => refusal(asking));
    await settle();
    if (fault === 'hang') await clock.advance(30 * SECOND);
    // What hangs uses up the time of the whole load; the adapter for SPIRE has a limit of its own, which is shorter.
    const code = fault === 'hang' ? 'exchange_unavailable' : fault;
    expect((await Promise.all(failing)).map((error) => error.code)).toEqual(NAMES.map(() => code));

    upstreams[upstream] = 'answer';
    expect(await untilAllAreServed(world)).toBeLessThanOrEqual(SHOWS_WITHIN);
  });
});

/** What may reach it in a minute: an attempt in each interval, or one of each component after each pause. */
const CALLS_WHILE_AWAY = [
  ['exchange_unavailable', 75],
  ['exchange_throttled', 180],
] as const;

describe.each(CALLS_WHILE_AWAY)('a target that is away (%s) is asked %i times a minute at most', (code, atMost) => {
  test.each([1, 2, 3, 4, 5])('by all together, and a fix shows within five seconds (seed %i)', async (seed) => {
    const world = await open(pseudoRandom(seed));
    const { askAll, clock, upstreams, counts } = world;
    upstreams.exchange = new SvidxError(code, 'it fails');
    for (let tenth = 0; tenth < 600 + seed * 7; tenth += 1) {
      const results = await Promise.allSettled(askAll());
      expect(results.every(({ status }) => status === 'rejected')).toBe(true);
      await clock.advance(100);
    }
    // Without a guard it is each of them twice a second, 720.
    expect(counts().exchanges).toBeLessThan(atMost);
    expect(counts().exchanges).toBeGreaterThan(12);
    upstreams.exchange = 'answer';
    expect(await untilAllAreServed(world)).toBeLessThanOrEqual(SHOWS_WITHIN);
  });
});

describe('while the breaker is open', () => {
  test('what is valid is served, what is not gets the reason and the time, and both ends are logged once', async () => {
    const world = await open(() => 0.5);
    const { broker, askAll, clock, upstreams, log } = world;
    const start = clock.now();
    const held = await broker.credentials({ component: 'a' }, 'models');
    upstreams.exchange = new SvidxError('exchange_unavailable', 'it fails');
    await Promise.allSettled(askAll());
    await clock.advance(600);
    const [valid, ...cold] = await Promise.allSettled(askAll());
    expect(valid).toEqual({ status: 'fulfilled', value: held });
    const since = new Date(start).toISOString();
    for (const result of cold) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'exchange_unavailable', message: `the target cannot be reached or fails since ${since}` },
      });
    }
    upstreams.exchange = 'answer';
    expect(await untilAllAreServed(world)).toBeLessThanOrEqual(SHOWS_WITHIN);
    const lines = log.entries().filter(({ event }) => String(event).startsWith('exchange.breaker'));
    expect(lines).toMatchObject([
      { level: 'warn', event: 'exchange.breaker_opened', target: 'aws aws 111122223333 us-east-1' },
      { level: 'info', event: 'exchange.breaker_closed', target: 'aws aws 111122223333 us-east-1' },
    ]);
  });
});

test('a component whose own grant always fails costs the others nothing', async () => {
  const world = await open(() => 0.5);
  const { clock, upstreams, log } = world;
  const trouble = new SvidxError('exchange_unavailable', 'it fails');
  for (let tenth = 0; tenth < 300; tenth += 1) {
    upstreams.exchange = trouble;
    await refusal(world.broker.credentials({ component: 'a' }, 'models'));
    await clock.advance(100);
  }
  upstreams.exchange = 'answer';
  for (const name of NAMES.slice(1)) {
    expect(await world.broker.credentials({ component: name }, 'models')).toMatchObject({ kind: 'aws' });
  }
  expect(log.lines.join('')).not.toContain('breaker');
});
