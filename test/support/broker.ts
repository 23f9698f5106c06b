import { type Broker, createBroker } from '../../src/broker/broker.ts';
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

/** @param options.random for the jitter; 0 (none) where nothing else is said */
export async function openBroker(
  options: { policies?: readonly string[]; random?: () => number; cacheSize?: number } = {},
): Promise<TestBroker> {
  const clock = createRecordingClock();
  const upstreams = await createCountingUpstreams(clock);
  const log = createMemoryLog();
  const compile = (documents: readonly string[]) =>
    compilePolicies(
      documents.map((text, index) => ({ file: `policy-${index}.yaml`, text })),
      TrustDomain.parse('example.org'),
    );
  let policies = compile(options.policies ?? [API_POLICY]);
  const broker = createBroker({
    policies: () => policies,
    svids: upstreams.svids,
    exchanger: upstreams.exchanger,
    clock,
    random: options.random ?? (() => 0),
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
