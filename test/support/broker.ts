import type { Clock } from '../../src/base/clock.ts';
import { type Broker, createBroker } from '../../src/broker/broker.ts';
import type { Exchanger } from '../../src/exchange/exchanger.ts';
import { createGuardedExchanger } from '../../src/exchange/guarded.ts';
import type { JwtSvidSource } from '../../src/identity/source.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { type CountingUpstreams, createCountingUpstreams } from '../fakes/counting-upstreams.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { createRecordingClock, type RecordingClock } from '../fakes/recording-clock.ts';

export const API_POLICY = `
component: api
spiffeId: spiffe://example.org/api
selectors: [wasmcloud:component:api]
audiences: [a.example.org, b.example.org, c.example.org, sts.amazonaws.com]
grants:
  models: { aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1, duration: 15m } }
`;

export const API = { component: 'api' };

/** A broker between counted upstreams, its clock and its policies in the test's hands. */
export interface TestBroker {
  readonly broker: Broker;
  readonly upstreams: CountingUpstreams;
  readonly clock: RecordingClock;
  readonly log: MemoryLog;
  /** Puts another policy set in force. */
  setPolicies(...documents: string[]): void;
  /** How often each upstream was asked. */
  counts(): { mints: number; exchanges: number };
}

export interface TestBrokerOptions {
  readonly policies?: readonly string[];
  /** For the jitter; 0 (none) where nothing else is said. */
  readonly random?: () => number;
  readonly cacheSize?: number;
  /** Puts something between the broker and what mints. */
  readonly between?: (svids: JwtSvidSource, clock: Clock) => JwtSvidSource;
  /** Puts before the target what the service puts there: its budget, its pauses and its breaker. */
  readonly guarded?: boolean;
}

export async function openBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const clock = createRecordingClock();
  const upstreams = await createCountingUpstreams(clock);
  const log = createMemoryLog();
  const compile = (documents: readonly string[]) =>
    compilePolicies(
      documents.map((text, index) => ({ file: `policy-${index}.yaml`, text })),
      TrustDomain.parse('example.org'),
    );
  let policies = compile(options.policies ?? [API_POLICY]);
  const random = options.random ?? (() => 0);
  const { exchanger } = upstreams;
  const guarded = (): Exchanger => createGuardedExchanger(exchanger, { clock, random, logger: log.logger });
  const broker = createBroker({
    policies: () => policies,
    svids: options.between?.(upstreams.svids, clock) ?? upstreams.svids,
    exchanger: options.guarded ? guarded() : exchanger,
    clock,
    random,
    logger: log.logger,
    cacheSize: options.cacheSize ?? 100,
  });
  return {
    broker,
    upstreams,
    clock,
    log,
    setPolicies: (...documents) => {
      policies = compile(documents);
    },
    counts: () => ({ mints: upstreams.mints.all.length, exchanges: upstreams.exchanges.all.length }),
  };
}
