import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Broker } from '../../src/broker/broker.ts';
import type { ComponentRights, Hosting } from '../../src/broker/hosting.ts';
import type { Egress } from '../../src/component/egress/egress.ts';
import { EgressError } from '../../src/component/egress/error-code.ts';
import {
  type ComponentHost,
  type ComponentLimits,
  createComponentHost,
  type LoadedComponent,
} from '../../src/component/host.ts';
import type { OutputName } from '../../src/component/messages.ts';
import { createOutputLines } from '../../src/component/output-lines.ts';
import { createFakeBroker, type FakeBroker } from '../fakes/broker.ts';
import { createFakeHosting } from '../fakes/hosting.ts';

export interface WrittenLine {
  readonly component: string;
  readonly stream: OutputName;
  readonly line: string;
}

export interface RunningHost {
  readonly host: ComponentHost;
  /** The one it asks, unless a test brings another. */
  readonly broker: FakeBroker;
  /** What the components wrote. */
  readonly written: WrittenLine[];
  load(name: string, bytes: Uint8Array): Promise<LoadedComponent>;
}

export interface HostOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<ComponentLimits>;
  readonly rights?: Partial<ComponentRights>;
  readonly egress?: Egress;
  /** Instead of one that grants everything. */
  readonly broker?: Broker;
  readonly hosting?: Hosting;
}

/** What components may use in tests. */
export const TEST_LIMITS: ComponentLimits = {
  timeoutMs: 15_000,
  instances: 1,
  maxWaiting: 100,
  memoryBytes: 64 * 1024 ** 2,
};

/** A way out that leads nowhere. */
export const NO_EGRESS: Egress = {
  async send() {
    throw new EgressError('HTTP-request-denied', 'nothing may leave');
  },
};

/** A component host in front of a broker that grants everything, closed by its maker. */
export function createTestHost({
  clock = systemClock,
  limits,
  rights,
  egress = NO_EGRESS,
  ...given
}: HostOptions = {}): RunningHost {
  const broker = createFakeBroker();
  const written: WrittenLine[] = [];
  const host = createComponentHost({
    broker: given.broker ?? broker,
    hosting: given.hosting ?? createFakeHosting(rights),
    egress,
    clock,
    openOutput: ({ component }, given) =>
      createOutputLines((stream, line) => written.push({ component, stream, line }), given),
  });
  return { host, broker, written, load: (name, bytes) => host.load(name, bytes, { ...TEST_LIMITS, ...limits }) };
}

/** The same for one test. */
export function startHost(options: HostOptions = {}): RunningHost {
  const running = createTestHost(options);
  onTestFinished(() => running.host.close());
  return running;
}

/** Lets components ask `http://upstream`, which the egress of a test answers. */
export const UPSTREAM: Partial<ComponentRights> = {
  egress: [{ scheme: 'http', host: 'upstream', port: 80, path: '/', addresses: [] }],
};
