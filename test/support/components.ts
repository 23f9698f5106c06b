import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type ComponentHost, createComponentHost, type LoadedComponent } from '../../src/component/host.ts';
import { createFakeBroker, type FakeBroker } from '../fakes/broker.ts';

export interface RunningHost {
  readonly host: ComponentHost;
  readonly broker: FakeBroker;
  load(name: string, bytes: Uint8Array): Promise<LoadedComponent>;
}

export interface HostOptions {
  readonly clock?: Clock;
  readonly timeoutMs?: number;
  readonly maxConcurrency?: number;
}

/** A component host in front of a broker that grants everything. */
export function startHost({
  clock = systemClock,
  timeoutMs = 15_000,
  maxConcurrency = 1,
}: HostOptions = {}): RunningHost {
  const broker = createFakeBroker();
  const host = createComponentHost({ broker, clock, timeoutMs, maxConcurrency });
  onTestFinished(() => host.close());
  return { host, broker, load: (name, bytes) => host.load(name, bytes) };
}
