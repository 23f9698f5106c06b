import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/base/clock.ts';
import { createLogger } from '../src/base/logger.ts';
import type { Config } from '../src/config/config.ts';
import { hostsOf, parseIssuer } from '../src/config/issuer.ts';
import { createAuthority } from '../src/dev/authority.ts';
import { createBrokerClient } from '../src/http/broker-client.ts';
import { listenOnTcp } from '../src/http/listener.ts';
import { createService } from '../src/service.ts';
import { TrustDomain } from '../src/spiffe/trust-domain.ts';
import { percentile } from './row.ts';
import { createAgentProcess } from './soak/agent-process.ts';
import { createRequests, type Wish } from './soak/requests.ts';

/**
 * The service under steady load while what it depends on misbehaves: the agent is killed and stays away for five seconds,
 * its keys are rotated three times (once while it is away), its bundle streams are dropped at random.
 *
 * Tokens live ten seconds here. One in use is renewed when it is four to five seconds old and given up at nine, so of an
 * outage of five seconds it bridges all if it was younger than four when the outage began, and all but the last second
 * at worst. Requests in that gap fail, with `identity_unavailable`, and are no loss: nothing usable was in hand. With
 * five-minute tokens the same outage is not noticed at all.
 *
 *     npm run soak -- [--seconds 60] [--rate 300] [--json]
 *
 * Exits with 1 if a request failed while a usable token was in hand, or a token did not verify.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '300' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);
const TOKEN_TTL = 10;
const OUTAGE_SECONDS = 5;
const AUDIENCES = ['sts.amazonaws.com', 'vault.example.org', 'api.example.org', 'queue.example.org'];
const COMPONENTS = ['api', 'ledger', 'mailer', 'reports', 'search'];

const folder = await mkdtemp(join(tmpdir(), 'svidx-soak-'));
const policyFolder = join(folder, 'policies');
await mkdir(policyFolder);
for (const name of COMPONENTS) {
  const lines = [
    `component: ${name}`,
    `spiffeId: spiffe://example.org/soak/${name}`,
    `selectors: [wasmcloud:component:${name}]`,
    `audiences: [${AUDIENCES.join(', ')}]`,
  ];
  await writeFile(join(policyFolder, `${name}.yaml`), lines.join('\n'));
}

const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
const issuer = parseIssuer(listener.url);
if ('problem' in issuer) throw new Error(issuer.problem);
const spireSocket = join(folder, 'spire-admin.sock');
const authority = await createAuthority({
  clock: systemClock,
  keyType: 'ec-p256',
  jwtIssuer: issuer.url,
  keyTtlMs: 24 * 3600_000,
});
const agent = createAgentProcess({
  authority,
  setup: {
    socketPath: spireSocket,
    trustDomain: 'example.org',
    entries: COMPONENTS.map((name) => ({
      spiffeId: `spiffe://example.org/soak/${name}`,
      selector: `wasmcloud:component:${name}`,
      ttl: TOKEN_TTL,
    })),
  },
});
await agent.start();

/** What the service says of its own calls upstream. */
const upstream = { ok: 0, failed: 0, bundlesRecovered: 0 };
const logger = createLogger({
  level: 'info',
  destination: {
    write(line: string) {
      if (line.includes('"identity.mint"')) upstream[line.includes('"outcome":"ok"') ? 'ok' : 'failed'] += 1;
      if (line.includes('"bundles.recovered"')) upstream.bundlesRecovered += 1;
    },
  },
});
const config: Config = {
  trustDomain: TrustDomain.parse('example.org'),
  issuer,
  listen: { host: '127.0.0.1', port: 0 },
  hosts: hostsOf(issuer),
  tls: undefined,
  // What verifies its tokens is one client, and asks as often as it likes.
  requestsPerSecond: 1_000_000,
  trustedProxies: [],
  healthListen: undefined,
  spireSocket,
  bundle: { from: 'delegatedIdentity', socket: spireSocket },
  spireTimeoutMs: 10_000,
  brokerSocket: join(folder, 'broker.sock'),
  cacheSize: 10_000,
  policyFolder,
  stsEndpoint: undefined,
  logLevel: 'info',
};
const service = await createService(config, { clock: systemClock, random: Math.random, logger, listener });
await service.ready();

const wishes: Wish[] = COMPONENTS.flatMap((component) =>
  AUDIENCES.map((audience) => ({ component, audience, spiffeId: `spiffe://example.org/soak/${component}` })),
);
const { request, tally } = createRequests({
  broker: createBrokerClient(config.brokerSocket),
  issuer: issuer.url,
  keysUrl: issuer.keysUrl,
});

// Service, client and verifier share this process: what it stalls, on a busy machine say, is in every latency.
const stalls = monitorEventLoopDelay({ resolution: 5 });
stalls.enable();
const startedAt = Date.now();
const events: string[] = [];
let dropped = 0;
let rotated = 0;
/** Runs `work` at a share of the whole time, and notes it. */
async function at(share: number, what: string, work: () => Promise<void> | void): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, share * seconds * 1000 - (Date.now() - startedAt)));
  note(what);
  await work();
}
function note(what: string): void {
  events.push(`${((Date.now() - startedAt) / 1000).toFixed(2)}s ${what}`);
}
const rotate = async (): Promise<void> => {
  await authority.rotate();
  rotated += 1;
};
const script = Promise.all([
  at(0.2, 'keys rotated', rotate),
  at(0.4, 'agent killed', agent.kill),
  at(0.4 + OUTAGE_SECONDS / 2 / seconds, 'keys rotated while the agent is away', rotate),
  at(0.4 + OUTAGE_SECONDS / seconds, 'agent started', agent.start).then(() => note('agent serves')),
  at(0.8, 'keys rotated', rotate),
]);
const drops = (async () => {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 + 3000 * Math.random()));
    if (Date.now() - startedAt > seconds * 1000) return;
    if (!agent.running) continue;
    agent.dropStreams();
    dropped += 1;
  }
})();

const pending = new Set<Promise<void>>();
let sent = 0;
while (Date.now() - startedAt < seconds * 1000) {
  for (; sent < ((Date.now() - startedAt) / 1000) * rate; sent += 1) {
    const wish = wishes[Math.floor(Math.random() * wishes.length)];
    if (wish === undefined) continue;
    const asked = request(wish);
    pending.add(asked);
    void asked.finally(() => pending.delete(asked));
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await Promise.all([...pending, script, drops]);

await service.close();
await agent.kill();
authority.close();
await rm(folder, { recursive: true, force: true });

const unverified = [...tally.unverified.values()].reduce((sum, count) => sum + count, 0);
const failures = [...tally.failures.values()].reduce((sum, count) => sum + count, 0);
const round = (value: number): number => Math.round(value * 100) / 100;
const result = {
  seconds,
  requests: tally.requests,
  requestsPerSecond: round(tally.requests / seconds),
  lostWhileTokenInHand: tally.lost,
  unverified,
  unverifiedBy: Object.fromEntries(tally.unverified),
  failures,
  failuresBy: Object.fromEntries(tally.failures),
  failedBetween: [tally.failedFrom, tally.failedTo].map((second) => (second === undefined ? undefined : round(second))),
  tokensAheadOfTheirKey: tally.lateKeys,
  latencyMs: {
    p50: round(percentile(tally.latencies, 0.5)),
    p99: round(percentile(tally.latencies, 0.99)),
    inHandP50: round(percentile(tally.inHandLatencies, 0.5)),
    inHandP99: round(percentile(tally.inHandLatencies, 0.99)),
    inHandMax: round(tally.inHandLatencies.reduce((max, value) => Math.max(max, value), 0)),
  },
  eventLoopDelayMs: { p99: round(stalls.percentile(99) / 1e6), max: round(stalls.max / 1e6) },
  upstream: {
    ...upstream,
    signed: agent.signed,
    perTokenAndLife: round(upstream.ok / wishes.length / (seconds / TOKEN_TTL)),
  },
  rotations: rotated,
  keysSeen: tally.keyIds.size,
  streamsDropped: dropped,
  events,
};
const good = tally.lost === 0 && unverified === 0;
if (values.json) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
} else {
  const rows = Object.entries(result).map(([name, value]) => [
    name,
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ]);
  for (const [name = '', value = ''] of rows) process.stdout.write(`${name.padEnd(24)}${value}\n`);
  process.stdout.write(
    good ? 'good: nothing lost, every token verified\n' : 'BAD: see lostWhileTokenInHand, unverified\n',
  );
}
process.exit(good ? 0 : 1);
