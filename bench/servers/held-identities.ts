import { createHash } from 'node:crypto';
import { generateKeyPair, SignJWT } from 'jose';
import { systemClock } from '../../src/base/clock.ts';
import { createLogger } from '../../src/base/logger.ts';
import { type Broker, createBroker } from '../../src/broker/broker.ts';
import type { PolicySet } from '../../src/policy/policy-set.ts';
import { parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { percentile } from '../row.ts';

/** Fills a broker with identities, and prints what they weigh and how long a look-up takes. Needs `--expose-gc`. */
const MANY = 100_000;
const FEW = 1_000;
const LOOKUPS = 200_000;

const { privateKey } = await generateKeyPair('ES256');
const now = Math.floor(Date.now() / 1000);
const tokens: string[] = [];
for (let index = 0; index < MANY; index += 1) {
  const jwt = new SignJWT({
    sub: `spiffe://example.org/bench/c${index}`,
    aud: ['a'],
    iat: now,
    exp: now + 3600,
    iss: 'https://x',
  });
  tokens.push(await jwt.setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'JWT' }).sign(privateKey));
}
const components = tokens.map((_, index) => ({
  component: `c${index}`,
  spiffeId: SpiffeId.parse(`spiffe://example.org/bench/c${index}`),
  selectors: [{ type: 'wasmcloud', value: `component:c${index}` }],
  identityFingerprint: createHash('sha256').update(`c${index}`).digest('base64url'),
  digest: undefined,
  digestSelector: false,
  audiences: ['a'],
  grants: [],
  wasi: [],
  config: [],
  egress: [],
  tokenSubjects: [],
}));
const byName = new Map(components.map((policy) => [policy.component, policy]));
const policies: PolicySet = { components, get: (name) => byName.get(name), admitting: () => [] };

function createFilled(): Broker {
  return createBroker({
    policies: () => policies,
    svids: {
      fetchJwtSvid: async ({ spiffeId }) =>
        parseJwtSvidUnverified(tokens[Number(spiffeId.path.slice('/bench/c'.length))] ?? ''),
    },
    exchanger: { exchange: () => Promise.reject(new Error('not measured')) },
    clock: systemClock,
    random: Math.random,
    logger: createLogger({ level: 'info', destination: { write: () => {} } }),
    cacheSize: MANY,
  });
}

async function fill(broker: Broker, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await broker.identity({ component: `c${index}` }, ['a']);
}

async function lookUps(broker: Broker, held: number): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < LOOKUPS; index += 1) {
    const component = `c${Math.floor(Math.random() * held)}`;
    const started = process.hrtime.bigint();
    await broker.identity({ component }, ['a']);
    times.push(Number(process.hrtime.bigint() - started) / 1000);
  }
  return percentile(times, 0.99);
}

async function heapAfterCollection(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

const small = createFilled();
await fill(small, FEW);
await lookUps(small, FEW);

const large = createFilled();
const before = await heapAfterCollection();
await fill(large, MANY);
const bytesEach = ((await heapAfterCollection()) - before) / MANY;

await lookUps(large, MANY);
const few = await lookUps(small, FEW);
const many = await lookUps(large, MANY);
process.stdout.write(JSON.stringify({ bytesEach, p99: { few, many } }));
