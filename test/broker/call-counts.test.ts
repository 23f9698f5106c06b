import { describe, expect, test } from 'vitest';
import { createAuthority } from '../../src/dev/authority.ts';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { settle } from '../fakes/clock.ts';
import { startScriptedAgent } from '../fakes/scripted-agent.ts';
import { credentialsXml, startScriptedSts } from '../fakes/scripted-sts.ts';
import { openBroker, type TestBroker } from '../support/broker.ts';
import { pseudoRandom } from '../support/pseudo-random.ts';
import { startWorld } from '../support/world.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const CALLERS = 1_000;

/** The service between an agent and an STS that count what reaches them, and answer once `answer` is called. */
async function startCounted() {
  let answer = (): void => {};
  const answering = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const authority = await createAuthority({
    clock: { now: Date.now, after: () => ({ cancel: () => {} }) },
    keyType: 'ec-p256',
    jwtIssuer: 'https://oidc.example.org',
    keyTtlMs: 24 * 60 * MINUTE,
  });
  const agent = await startScriptedAgent();
  agent.onStream = (stream) => stream.send({ 'spiffe://example.org': authority.jwkSet() });
  agent.onFetch = async () => {
    await answering;
    const spiffeId = SpiffeId.parse('spiffe://example.org/team/api');
    const { token } = await authority.mint({ spiffeId, audience: ['sts.amazonaws.com'], ttl: 300 });
    return { svids: [{ token, id: { trust_domain: 'example.org', path: '/team/api' } }] };
  };
  const sts = await startScriptedSts();
  sts.onRequest = () => ({ status: 200, body: credentialsXml() });
  const world = await startWorld({
    config: {
      spireSocket: agent.socketPath,
      bundle: { from: 'delegatedIdentity', socket: agent.socketPath },
      stsEndpoint: sts.url,
    },
  });
  return { ...world, agent, sts, answer };
}

describe('a thousand simultaneous callers of something that nobody has yet', () => {
  test('ask the agent once and STS once, and all have the same', async () => {
    const { service, agent, sts, answer } = await startCounted();
    const asking = Array.from({ length: CALLERS }, () => service.broker.credentials({ component: 'api' }, 'models'));
    await agent.fetches.next();
    answer();
    const [first, ...others] = await Promise.all(asking);
    expect(first).toMatchObject({ kind: 'aws', accessKeyId: 'ASIAEXAMPLEEXAMPLE22' });
    expect(others.every((credentials) => credentials === first)).toBe(true);
    expect(agent.fetches.all).toHaveLength(1);
    expect(sts.requests.all).toHaveLength(1);
  });

  test('likewise over the private socket, each for credentials and for a JWT-SVID with the same audience', async () => {
    const { config, agent, sts, answer } = await startCounted();
    const client = createBrokerClient(config.brokerSocket);
    const asking = Array.from({ length: CALLERS / 2 }, () => [
      client.credentials({ component: 'api' }, 'models'),
      client.identity({ component: 'api' }, ['sts.amazonaws.com']),
    ]).flat();
    await agent.fetches.next();
    answer();
    expect(await Promise.all(asking)).toHaveLength(CALLERS);
    expect(agent.fetches.all).toHaveLength(1);
    expect(sts.requests.all).toHaveLength(1);
  });
});

/** The README's cache table, put anew: until when something that arrives serves. Milliseconds. */
interface Predicted {
  readonly freshUntil: number;
  readonly servedUntil: number;
  readonly expiresAt: number;
}

/** What the table shaves off of the fresh time where the random number is one half: half of a fifth. */
const FRESH_SHARE = 0.9;
const RANDOM = 0.5;
const SVID_LIFE = 5 * MINUTE;

function predictSvid(now: number): Predicted {
  return {
    freshUntil: now + (SVID_LIFE / 2) * FRESH_SHARE,
    servedUntil: now + SVID_LIFE - Math.min(10 * SECOND, SVID_LIFE / 10),
    expiresAt: now + SVID_LIFE,
  };
}

function predictCredentials(now: number, life: number): Predicted {
  const fresh = Math.max(life - Math.max(5 * MINUTE, life / 10), life / 2);
  return {
    freshUntil: now + fresh * FRESH_SHARE,
    servedUntil: now + life - Math.min(10 * SECOND, life / 10),
    expiresAt: now + life,
  };
}

/** A cache as the table has it, where every call upstream takes no time. Whatever is no longer fresh is loaded, once. */
function createPrediction() {
  const held = new Map<string, Predicted>();
  let calls = 0;
  let expired = 0;
  return {
    get calls() {
      return calls;
    },
    /** How often somebody had to wait, since nothing was usable. */
    get expired() {
      return expired;
    },
    /** @returns what is handed out: what is held while it is served, also where that starts a renewal */
    use(key: string, now: number, load: () => Predicted): Predicted {
      const known = held.get(key);
      if (known !== undefined && now < known.freshUntil) return known;
      const loaded = load();
      calls += 1;
      held.set(key, loaded);
      if (known !== undefined && now < known.servedUntil) return known;
      expired += 1;
      return loaded;
    },
  };
}

/** Lets everything under way upstream end; it takes no time of the clock. */
async function quiet({ upstreams, counts }: TestBroker): Promise<void> {
  const { minted, issued } = upstreams;
  for (;;) {
    const before = JSON.stringify(counts());
    await settle();
    const { mints, exchanges } = counts();
    const ended = minted.all.length === mints && issued.all.length === exchanges;
    if (ended && JSON.stringify(counts()) === before) return;
  }
}

const AUDIENCES = ['a.example.org', 'b.example.org', 'sts.amazonaws.com'];
const GRANTS = { short: 15 * MINUTE, quarter: 15 * MINUTE, long: 60 * MINUTE };

function component(name: string): string {
  const grants = Object.entries(GRANTS).map(
    ([grant, life]) =>
      `  ${grant}: { aws: { roleArn: 'arn:aws:iam::111122223333:role/${grant}', region: us-east-1, duration: ${life / MINUTE}m } }`,
  );
  return [
    `component: ${name}`,
    `spiffeId: spiffe://example.org/${name}`,
    `selectors: [wasmcloud:component:${name}]`,
    `audiences: [${AUDIENCES.join(', ')}]`,
    'grants:',
    ...grants,
  ].join('\n');
}

/** How often each component asks: some all the time, some so rarely that what they had has expired. */
const SHARES = {
  busy: 0.65,
  steady: 0.2,
  slow: 0.05,
  slower: 0.03,
  slowest: 0.03,
  rare: 0.02,
  rarer: 0.01,
  rarest: 0.01,
};

function pick<T>(choices: readonly T[], at: number): T {
  const chosen = choices[Math.floor(at * choices.length)];
  if (chosen === undefined) throw new Error('nothing to choose from');
  return chosen;
}

function pickComponent(at: number): string {
  let sum = 0;
  for (const [name, share] of Object.entries(SHARES)) {
    sum += share;
    if (at < sum) return name;
  }
  return 'busy';
}

test.each([1, 2, 3])(
  '10,000 requests over an hour make the calls that the cache table predicts (seed %i)',
  async (seed) => {
    const world = await openBroker({
      policies: Object.keys(SHARES).map(component),
      random: () => RANDOM,
      guarded: true,
    });
    const { broker, clock, counts } = world;
    const start = clock.now();
    const random = pseudoRandom(seed);
    const requests = Array.from({ length: 10_000 }, () => ({
      at: start + Math.floor(random() * 3_600) * SECOND,
      name: pickComponent(random()),
      grant: random() < 0.6 ? pick(Object.keys(GRANTS), random()) : undefined,
      audience: pick(AUDIENCES, random()),
    })).toSorted((one, other) => one.at - other.at);

    const svids = createPrediction();
    const credentials = createPrediction();
    const predict = ({ at, name, grant, audience }: (typeof requests)[number]): Predicted => {
      const useSvid = (of: string): Predicted => svids.use(`${name} ${of}`, at, () => predictSvid(at));
      if (grant === undefined) return useSvid(audience);
      return credentials.use(`${name} ${grant}`, at, () => {
        useSvid('sts.amazonaws.com');
        return predictCredentials(at, Object.entries(GRANTS).find(([known]) => known === grant)?.[1] ?? 0);
      });
    };

    for (const request of requests) {
      const { at, name, grant, audience } = request;
      if (at > clock.now()) await clock.advance(at - clock.now());
      const caller = { component: name };
      const asking = grant === undefined ? broker.identity(caller, [audience]) : broker.credentials(caller, grant);
      const { expiresAt } = await asking;
      await quiet(world);
      expect(expiresAt).toBe(predict(request).expiresAt);
      expect(counts()).toEqual({ mints: svids.calls, exchanges: credentials.calls });
    }
    // The prediction is of something: there were renewals behind, and there were waits for what had expired.
    expect(svids.calls).toBeGreaterThan(100);
    expect(credentials.calls).toBeGreaterThan(30);
    expect(svids.expired).toBeGreaterThan(Object.keys(SHARES).length * AUDIENCES.length);
    expect(svids.calls).toBeGreaterThan(svids.expired);
    expect(credentials.calls).toBeGreaterThan(credentials.expired);
  },
);
