import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { type CachingAgent, createCachingAgent } from '../fakes/caching-agent.ts';
import { settle } from '../fakes/clock.ts';
import { API, openBroker } from '../support/broker.ts';
import { refusal } from '../support/errors.ts';
import { eventually } from '../support/eventually.ts';
import { pseudoRandom } from '../support/pseudo-random.ts';

const A = ['a.example.org'] as const;
const SECOND = 1000;

/** A broker at an agent that holds back tokens as SPIRE's does. */
async function openWithAgent(seed: number) {
  const random = pseudoRandom(seed);
  const agents: CachingAgent[] = [];
  const world = await openBroker({
    random,
    between: (svids, clock: Clock) => {
      const made = createCachingAgent(svids, { clock, random });
      agents.push(made);
      return made;
    },
  });
  const [agent] = agents;
  if (agent === undefined) throw new Error('no agent was made');
  return { ...world, agent };
}

/** Lets what is under way at the agent end; it takes no time of the clock. */
async function idle(agent: CachingAgent): Promise<void> {
  await settle();
  await eventually(async () => expect(agent.answered).toBe(agent.asked));
  await settle();
}

describe('an agent that returns the same token until half of its life is gone', () => {
  test.each([1, 2, 3, 4, 5])(
    'is asked at most three times in the life of a token in steady use (seed %i)',
    async (seed) => {
      const { broker, clock, agent } = await openWithAgent(seed);
      const seen = new Map<string, { expiresAt: number; asked: number }>();
      for (let second = 0; second < 3600; second += 1) {
        // Nothing moves the clock meanwhile, so this would never return if it waited for anything.
        const svid = await broker.identity(API, A);
        // At worst it was the same one at half of its life, and is asked for again at three quarters.
        expect(svid.expiresAt - clock.now()).toBeGreaterThanOrEqual(75 * SECOND);
        await idle(agent);
        const known = seen.get(svid.sha256);
        if (known === undefined) seen.set(svid.sha256, { expiresAt: svid.expiresAt, asked: agent.asked });
        await clock.advance(SECOND);
      }
      // An hour of tokens that are renewed at about half of their five minutes.
      expect(agent.minted).toBeGreaterThanOrEqual(15);
      expect(agent.minted).toBeLessThanOrEqual(30);
      expect(agent.asked / agent.minted).toBeLessThanOrEqual(2.5);
      const counts = [...seen.values()].map(({ asked }) => asked);
      const perToken = counts.slice(1).map((asked, index) => asked - (counts[index] ?? 0));
      expect(Math.max(...perToken)).toBeLessThanOrEqual(3);
    },
  );

  test('is asked as rarely for a token that lives only ten seconds', async () => {
    const { broker, clock, agent, upstreams } = await openWithAgent(7);
    upstreams.svidTtl = 10;
    for (let tick = 0; tick < 6000; tick += 1) {
      const svid = await broker.identity(API, A);
      expect(svid.expiresAt - clock.now()).toBeGreaterThan(SECOND);
      await idle(agent);
      await clock.advance(100);
    }
    expect(agent.minted).toBeGreaterThan(80);
    expect(agent.asked / agent.minted).toBeLessThanOrEqual(3);
  });
});

describe('an agent whose server is away', () => {
  test('is not pressed while it returns the token it has, nor after; the token serves to its last safe second', async () => {
    const { broker, clock, agent } = await openWithAgent(11);
    const first = await broker.identity(API, A);
    agent.server = 'down';
    let asked = agent.asked;
    while (clock.now() < first.expiresAt - 10 * SECOND) {
      expect(await broker.identity(API, A)).toMatchObject({ sha256: first.sha256 });
      await idle(agent);
      await clock.advance(100);
    }
    // At about 1/2, 3/4, 7/8, 15/16 of its life, and no more often than each second near its end.
    expect(agent.asked - asked).toBeLessThanOrEqual(8);

    asked = agent.asked;
    for (let tick = 0; tick < 200; tick += 1) {
      const error = await refusal(broker.identity(API, A));
      expect(error.code).toBe('identity_unavailable');
      expect(error.message).toBe(
        clock.now() < first.expiresAt
          ? 'the SPIRE agent has only a JWT-SVID that is about to expire; perhaps its server cannot be reached'
          : 'could not fetch JWT-SVID',
      );
      await clock.advance(100);
    }
    // Twenty seconds of ten requests each, of which each failure answers for half a second.
    expect(agent.asked - asked).toBeLessThanOrEqual(40);

    agent.server = 'up';
    await clock.advance(500);
    expect((await broker.identity(API, A)).expiresAt).toBeGreaterThan(first.expiresAt);
  });
});
