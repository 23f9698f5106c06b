import { onTestFinished } from 'vitest';
import { createAuthority } from '../../src/dev/authority.ts';
import { createDelegatedJwtBundleSource } from '../../src/identity/delegated-identity/jwt-bundle-source.ts';
import type { JwtBundleSource } from '../../src/identity/source.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { createRecordingClock, type RecordingClock } from '../fakes/recording-clock.ts';
import { type AgentStream, type ScriptedAgent, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { type Arrivals, createArrivals } from './arrivals.ts';
import { connectApi } from './delegated-identity.ts';

/** How long a stream has to bring its first message, in milliseconds of the fake clock. */
export const FIRST_MESSAGE_MS = 5_000;

/** A bundle source at a scripted agent, its clock in the test's hands. */
export interface BundleStream {
  readonly agent: ScriptedAgent;
  readonly source: JwtBundleSource & { close(): void };
  readonly clock: RecordingClock;
  readonly log: MemoryLog;
  /** One item for each time the source said that something changed. */
  readonly changes: Arrivals<null>;
  /** The next stream that the source opens; awaited in order, so none may be left out. */
  nextStream(): Promise<AgentStream>;
  /** The IDs of the keys held for this trust domain; `undefined` when there is no bundle. */
  keys(trustDomain: string): readonly string[] | undefined;
  /** What was logged at this event name. */
  logged(event: string): Record<string, unknown>[];
}

export async function openBundleStream(options: { random?: () => number } = {}): Promise<BundleStream> {
  const agent = await startScriptedAgent();
  const clock = createRecordingClock();
  const log = createMemoryLog();
  const source = createDelegatedJwtBundleSource({
    api: connectApi(agent.socketPath),
    clock,
    random: options.random ?? (() => 0.5),
    logger: log.logger,
    timeoutMs: FIRST_MESSAGE_MS,
  });
  onTestFinished(() => source.close());
  const changes = createArrivals<null>();
  source.onChange(() => changes.push(null));
  return {
    agent,
    source,
    clock,
    log,
    changes,
    nextStream: () => agent.streams.next(),
    keys: (name) => source.get(TrustDomain.parse(name))?.authorities.map(({ keyId }) => keyId),
    logged: (event) => log.entries().filter((entry) => entry['event'] === event),
  };
}

/** JWK Sets of a trust domain as it rotates its keys: each further one holds one key more. */
export async function rotations(count: number): Promise<readonly string[]> {
  const authority = await createAuthority({
    clock: { now: () => 0, after: () => ({ cancel: () => {} }) },
    keyType: 'ec-p256',
    jwtIssuer: 'https://oidc.example.org',
    keyTtlMs: 3600_000,
  });
  const sets = [authority.jwkSet()];
  while (sets.length < count) {
    await authority.rotate();
    sets.push(authority.jwkSet());
  }
  return sets;
}

/** The IDs of the keys in a JWK Set, sorted. */
export function keyIds(jwkSet: string): readonly string[] {
  const { keys }: { keys: { kid: string }[] } = JSON.parse(jwkSet);
  return keys.map(({ kid }) => kid).toSorted();
}
