import { beforeAll, describe, expect, test } from 'vitest';
import { type ErrorCode, SvidxError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import type { Grant } from '../../src/credentials/grant.ts';
import type { Exchanger } from '../../src/exchange/exchanger.ts';
import { createGuardedExchanger, EXCHANGES_PER_SECOND, MAX_WAIT_MS } from '../../src/exchange/guarded.ts';
import type { JwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { createFakeClock, settle } from '../fakes/clock.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import { MODELS_GRANT, subjectToken } from '../support/exchange.ts';

const SECOND = 1000;
const CREDENTIALS: Credentials = {
  kind: 'aws',
  accessKeyId: 'ASIAEXAMPLEEXAMPLE22',
  secretAccessKey: new Secret('k'),
  sessionToken: new Secret('t'),
  expiresAt: Number.MAX_SAFE_INTEGER,
  region: 'us-east-1',
};
const ELSEWHERE: Grant = { ...MODELS_GRANT, region: 'eu-west-1' };

let a: JwtSvid;
let b: JwtSvid;
let c: JwtSvid;
beforeAll(async () => {
  a = await subjectToken('spiffe://example.org/a');
  b = await subjectToken('spiffe://example.org/b');
  c = await subjectToken('spiffe://example.org/c');
});

/** A guarded exchanger before targets that do what the test says, and count. */
function setUp(random = 0.5) {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const asked: JwtSvid[] = [];
  const world = {
    clock,
    log,
    asked,
    behave: (): ErrorCode | 'answer' | 'hang' => 'answer',
    /** Of these it is always this. */
    always: new Map<JwtSvid, ErrorCode | 'answer' | 'hang'>(),
    ask(svid: JwtSvid, grant: Grant = MODELS_GRANT, signal = new AbortController().signal): Promise<Credentials> {
      const asking = guarded.exchange(svid, grant, { signal });
      asking.catch(() => {});
      return asking;
    },
    /** Opens the breaker of the usual target, which is down from now on. */
    async takeDown(): Promise<void> {
      world.behave = () => 'exchange_unavailable';
      for (const svid of [a, b, a, b, a]) expect(await refusalCode(world.ask(svid))).toBe('exchange_unavailable');
      expect(asked).toHaveLength(5);
      asked.length = 0;
    },
    events: () => log.entries().map(({ event, level, target }) => [level, event, target]),
  };
  const exchanger: Exchanger = {
    async exchange(svid, _, { signal }) {
      asked.push(svid);
      const behaviour = world.always.get(svid) ?? world.behave();
      if (behaviour === 'answer') return CREDENTIALS;
      if (behaviour !== 'hang') throw new SvidxError(behaviour, 'what the adapter says', { detail: 'its detail' });
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  };
  const guarded = createGuardedExchanger(exchanger, { clock, random: () => random, logger: log.logger });
  return world;
}

describe('the budget of a target', () => {
  test('lets what is within it through, and answers and refusals are those of the adapter', async () => {
    const world = setUp();
    expect(await world.ask(a)).toBe(CREDENTIALS);
    world.behave = () => 'exchange_denied';
    expect(await refusal(world.ask(a))).toMatchObject({ message: 'what the adapter says', detail: 'its detail' });
    expect(world.clock.timers).toBe(0);
  });

  test.each(Object.entries(EXCHANGES_PER_SECOND))('of %s is %i exchanges in a second', async (kind, perSecond) => {
    const { ask, asked, clock } = setUp();
    const grants: Readonly<Record<string, Grant>> = {
      aws: MODELS_GRANT,
      azure: {
        kind: 'azure',
        audience: 'a',
        target: 't',
        tenantId: 't',
        clientId: 'c',
        scope: 's',
        authorityHost: 'https://login.example.org',
      },
      gcp: {
        kind: 'gcp',
        audience: 'a',
        target: 't',
        provider: 'projects/1/locations/global',
        serviceAccount: undefined,
        scopes: [],
        lifetimeSeconds: 3600,
      },
      vault: {
        kind: 'vault',
        audience: 'a',
        target: 't',
        address: 'https://vault.example.org',
        role: 'r',
        mount: 'jwt',
        method: 'jwt',
        namespace: undefined,
        caFile: undefined,
      },
      oauth: {
        kind: 'oauth',
        audience: 'a',
        target: 't',
        issuer: 'https://as.example.org',
        flow: 'jwt-bearer',
        clientId: undefined,
        assertionType: 'jwt-bearer',
        resource: [],
        targetAudience: [],
        scope: undefined,
        dpop: false,
      },
    };
    const grant = grants[kind];
    for (let count = 0; count < 3 * perSecond; count += 1) {
      void ask(a, grant);
      if (count % 10 === 0) await settle();
    }
    await settle();
    expect(asked).toHaveLength(perSecond);
    await clock.advance(SECOND);
    expect(asked).toHaveLength(2 * perSecond);
  });

  test('is one of its own: another target does not wait', async () => {
    const { ask, asked } = setUp();
    for (let count = 0; count < 1_000; count += 1) void ask(a);
    await settle();
    asked.length = 0;
    expect(await ask(b, ELSEWHERE)).toBe(CREDENTIALS);
    expect(asked).toEqual([b]);
  });

  test('is not used up by one identity whose exchanges hang', async () => {
    const world = setUp();
    world.always.set(a, 'hang');
    for (let count = 0; count < 100; count += 1) void world.ask(a);
    await settle();
    expect(world.asked).toHaveLength(20);
    expect(await world.ask(b)).toBe(CREDENTIALS);
  });

  test('is not used up by one identity that is refused each time: the others take turns with it', async () => {
    const world = setUp();
    world.always.set(a, 'exchange_denied');
    for (let count = 0; count < 3_000; count += 1) void world.ask(a);
    await settle();
    const others = [world.ask(b), world.ask(c)];
    await world.clock.advance(20);
    expect(await Promise.all(others)).toEqual([CREDENTIALS, CREDENTIALS]);
    expect(world.log.lines).toEqual([]);
  });

  test('ends a long wait with what was the matter, and nothing is asked', async () => {
    const world = setUp();
    world.behave = () => 'hang';
    for (const svid of [a, b, c]) for (let count = 0; count < 20; count += 1) void world.ask(svid);
    await settle();
    expect(world.asked).toHaveLength(50);
    const waiting = refusal(world.ask(c));
    await world.clock.advance(MAX_WAIT_MS);
    expect(await waiting).toMatchObject({
      code: 'exchange_throttled',
      message: 'too many exchanges with the target are waiting',
      detail: 'aws aws 111122223333 us-east-1: it was not asked',
    });
    expect(world.asked).toHaveLength(50);
    expect(world.clock.timers).toBe(0);
  });

  test('is free again when the caller gives up', async () => {
    const world = setUp();
    world.behave = () => 'hang';
    const abort = new AbortController();
    for (let count = 0; count < 20; count += 1) void world.ask(a, MODELS_GRANT, abort.signal);
    await settle();
    world.behave = () => 'answer';
    const waiting = world.ask(a);
    abort.abort(new Error('given up'));
    expect(await waiting).toBe(CREDENTIALS);
  });
});

describe('a target that throttles', () => {
  test('is left alone for a time that grows, up to four seconds, and not for long once it answers', async () => {
    const world = setUp();
    for (const pause of [375, 750, 1_500, 3_000, 3_000]) {
      world.behave = () => 'exchange_throttled';
      expect((await refusal(world.ask(a))).message).toBe('what the adapter says');
      world.behave = () => 'answer';
      world.asked.length = 0;
      await world.clock.advance(pause - 1);
      expect(await refusal(world.ask(b))).toMatchObject({
        code: 'exchange_throttled',
        message: 'the target is throttling and left alone for a moment',
      });
      expect(world.asked).toEqual([]);
      expect(await world.ask(b, ELSEWHERE)).toBe(CREDENTIALS);
      await world.clock.advance(1);
    }
    expect(await world.ask(b)).toBe(CREDENTIALS);
    world.behave = () => 'exchange_throttled';
    await refusal(world.ask(a));
    world.behave = () => 'answer';
    await world.clock.advance(375);
    expect(await world.ask(b)).toBe(CREDENTIALS);
  });

  test('many at the same time is one pause', async () => {
    const world = setUp();
    world.behave = () => 'exchange_throttled';
    await Promise.all(Array.from({ length: 20 }, () => refusal(world.ask(a))));
    world.behave = () => 'answer';
    await world.clock.advance(375);
    expect(await world.ask(a)).toBe(CREDENTIALS);
  });

  test('never longer than four seconds, whatever the jitter', async () => {
    const world = setUp(0.999_999);
    for (let count = 0; count < 20; count += 1) {
      world.behave = () => 'exchange_throttled';
      await refusal(world.ask(a));
      world.behave = () => 'answer';
      await world.clock.advance(4_000);
    }
    expect(await world.ask(a)).toBe(CREDENTIALS);
  });

  test('answers: it is not down', async () => {
    const world = setUp();
    await world.takeDown();
    await world.clock.advance(1_500);
    world.behave = () => 'exchange_throttled';
    expect(await refusalCode(world.ask(c))).toBe('exchange_throttled');
    expect(world.events().at(-1)).toEqual(['info', 'exchange.breaker_closed', 'aws aws 111122223333 us-east-1']);
  });
});

describe('a target that is down', () => {
  test('is not asked after five failures in a row, and the error says since when; one line tells of it', async () => {
    const world = setUp();
    await world.takeDown();
    for (let count = 0; count < 100; count += 1) {
      expect(await refusal(world.ask(c))).toMatchObject({
        code: 'exchange_unavailable',
        message: 'the target cannot be reached or fails since 2026-11-22T12:00:00.000Z',
        detail: 'aws aws 111122223333 us-east-1: it was not asked; it is every few seconds',
      });
    }
    expect(world.asked).toEqual([]);
    expect(await refusal(world.ask(c, ELSEWHERE))).toMatchObject({ message: 'what the adapter says' });
    expect(world.events()).toEqual([['warn', 'exchange.breaker_opened', 'aws aws 111122223333 us-east-1']]);
  });

  test('is asked once in an interval, and by all again after the first answer', async () => {
    const world = setUp();
    await world.takeDown();
    for (const svid of [a, b, c]) {
      await world.clock.advance(1_500);
      await Promise.all([svid, a, b, c].map((one) => refusal(world.ask(one))));
      expect(world.asked).toEqual([svid]);
      world.asked.length = 0;
    }
    world.behave = () => 'answer';
    await world.clock.advance(1_500);
    expect(await world.ask(a)).toBe(CREDENTIALS);
    expect(await world.ask(b)).toBe(CREDENTIALS);
    expect(world.events().slice(1)).toEqual([['info', 'exchange.breaker_closed', 'aws aws 111122223333 us-east-1']]);
  });

  test('is known to be back within four seconds, whatever the jitter, though the last attempt hangs', async () => {
    const world = setUp(0.999_999);
    await world.takeDown();
    await world.clock.advance(2_000);
    world.behave = () => 'hang';
    void world.ask(a);
    await settle();
    expect(world.asked).toEqual([a]);
    world.behave = () => 'answer';
    await world.clock.advance(2_000);
    expect(await refusalCode(world.ask(a))).toBe('exchange_unavailable');
    expect(await world.ask(b)).toBe(CREDENTIALS);
  });

  test('and by one that is alone within four seconds', async () => {
    const world = setUp(0.999_999);
    await world.takeDown();
    await world.clock.advance(2_000);
    await refusal(world.ask(a));
    world.behave = () => 'answer';
    await world.clock.advance(4_000);
    expect(await world.ask(a)).toBe(CREDENTIALS);
  });

  test('is found to be back by one whose places are all taken by exchanges that hang', async () => {
    const world = setUp();
    world.behave = () => 'hang';
    for (let count = 0; count < 20; count += 1) void world.ask(a);
    await settle();
    world.behave = () => 'exchange_unavailable';
    for (const svid of [b, c, b, c, b]) await refusal(world.ask(svid));
    world.behave = () => 'answer';
    await world.clock.advance(1_500);
    expect(await world.ask(a)).toBe(CREDENTIALS);
  });

  test('refuses those in line too, once that is known', async () => {
    const world = setUp();
    world.behave = () => 'hang';
    const ends = Array.from({ length: 50 }, () => new AbortController());
    for (const [index, { signal }] of ends.entries()) void world.ask([a, b][index % 3] ?? c, MODELS_GRANT, signal);
    await settle();
    const refused: string[] = [];
    for (let count = 0; count < 10; count += 1) world.ask(a).catch(({ message }: Error) => refused.push(message));
    await settle();
    expect(world.asked).toHaveLength(50);
    for (const end of ends.slice(0, 5)) {
      end.abort(new SvidxError('exchange_unavailable', 'no answer within 30 seconds'));
      await settle();
    }
    expect(world.events()).toEqual([['warn', 'exchange.breaker_opened', 'aws aws 111122223333 us-east-1']]);
    // Four had begun by then.
    expect(world.asked).toHaveLength(54);
    expect(refused).toHaveLength(6);
    expect(new Set(refused)).toEqual(new Set(['the target cannot be reached or fails since 2026-11-22T12:00:00.000Z']));
  });
});

describe('what is wrong with one grant', () => {
  test.each([
    'exchange_denied',
    'exchange_token_rejected',
    'exchange_request_rejected',
    'exchange_response_invalid',
    'internal_error',
  ] as const)('(%s) neither opens the breaker nor pauses the target', async (code) => {
    const world = setUp();
    world.behave = () => code;
    for (let count = 0; count < 50; count += 1) {
      expect(await refusal(world.ask(count % 2 ? a : b))).toMatchObject({ message: 'what the adapter says' });
    }
    expect(world.asked).toHaveLength(50);
    world.behave = () => 'answer';
    expect(await world.ask(c)).toBe(CREDENTIALS);
    expect(world.log.lines).toEqual([]);
  });

  test('such as a CA file that only it has opens no breaker, however often it fails', async () => {
    const world = setUp();
    world.always.set(a, 'exchange_unavailable');
    for (let count = 0; count < 100; count += 1) expect((await refusal(world.ask(a))).message).toContain('adapter');
    expect(await world.ask(b)).toBe(CREDENTIALS);
    expect(world.log.lines).toEqual([]);
  });

  test('does not keep the breaker open for the others, although it asks first and always fails', async () => {
    const world = setUp();
    await world.takeDown();
    world.behave = () => 'answer';
    world.always.set(a, 'exchange_unavailable');
    await world.clock.advance(1_500);
    expect((await refusal(world.ask(a))).message).toContain('adapter');
    await world.clock.advance(1_500);
    expect((await refusal(world.ask(a))).message).toContain('since');
    expect(await world.ask(b)).toBe(CREDENTIALS);
    expect(await world.ask(c)).toBe(CREDENTIALS);
  });

  test.each(['exchange_denied', 'exchange_token_rejected'] as const)('(%s) is an answer of a target', async (code) => {
    const world = setUp();
    await world.takeDown();
    await world.clock.advance(1_500);
    world.behave = () => code;
    expect(await refusalCode(world.ask(c))).toBe(code);
    world.behave = () => 'answer';
    expect(await world.ask(a)).toBe(CREDENTIALS);
  });

  test.each(['exchange_request_rejected', 'exchange_response_invalid', 'internal_error'] as const)(
    '(%s) is no sign that a target is back, since nobody may have asked it',
    async (code) => {
      const world = setUp();
      await world.takeDown();
      await world.clock.advance(1_500);
      world.behave = () => code;
      expect(await refusalCode(world.ask(c))).toBe(code);
      expect((await refusal(world.ask(a))).message).toContain('since');
    },
  );
});
