import { onTestFinished } from 'vitest';
import { createAuthority } from '../../src/dev/authority.ts';
import { createDelegatedIdentityApi } from '../../src/identity/delegated-identity/api.ts';
import { createDelegatedJwtBundleSource } from '../../src/identity/delegated-identity/jwt-bundle-source.ts';
import type { RunningJwtBundleSource } from '../../src/identity/source.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { createRecordingClock, type RecordingClock } from '../fakes/recording-clock.ts';
import { type AgentStream, type ScriptedAgent, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { type Arrivals, createArrivals } from './arrivals.ts';

/** How long a stream has to bring its first message, in milliseconds of the fake clock. */
export const FIRST_MESSAGE_MS = 4_999;

/** A bundle source at a scripted agent, its clock in the test's hands. */
export interface BundleStream {
  readonly agent: ScriptedAgent;
  readonly source: RunningJwtBundleSource;
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

/**
 * @param options.through makes the socket that the source is given, of the agent's own
 * @param options.prepare what the agent does, before anything is asked of it
 */
export async function openBundleStream(
  options: {
    random?: () => number;
    through?: (socketPath: string) => Promise<string>;
    prepare?: (agent: ScriptedAgent) => void;
  } = {},
): Promise<BundleStream> {
  const agent = await startScriptedAgent();
  options.prepare?.(agent);
  const socketPath = (await options.through?.(agent.socketPath)) ?? agent.socketPath;
  const clock = createRecordingClock();
  const log = createMemoryLog();
  const source = createDelegatedJwtBundleSource({
    connect: () => createDelegatedIdentityApi(socketPath),
    trustDomain: TrustDomain.parse('example.org'),
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

/** The longest wait before a stream is opened again after trouble of the passing kind; a renewal is longer. */
const MAX_RECONNECT_MS = 10_000;

/** The wait before a stream is opened again, once one has ended; after it the next one is open. */
export async function nextWait(clock: RecordingClock): Promise<number> {
  for (;;) {
    const waitMs = await clock.nextDelay();
    if (waitMs === FIRST_MESSAGE_MS || waitMs > MAX_RECONNECT_MS) continue;
    await clock.advance(waitMs);
    return waitMs;
  }
}

export async function waits(clock: RecordingClock, count: number): Promise<number[]> {
  const all: number[] = [];
  while (all.length < count) all.push(await nextWait(clock));
  return all;
}

/** The next change of the bundles, opening streams until it comes. */
export async function nextChange({ changes, clock }: Pick<BundleStream, 'changes' | 'clock'>): Promise<void> {
  let changed = false;
  const change = changes.next().then(() => {
    changed = true;
  });
  const retry = async (): Promise<void> => {
    while (!changed) await nextWait(clock);
  };
  await Promise.race([change, retry()]);
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
