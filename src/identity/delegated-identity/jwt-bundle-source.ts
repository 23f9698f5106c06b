import { type Backoff, backoffDelay } from '../../base/backoff.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { SvidxError } from '../../base/errors.ts';
import type { Health } from '../../base/health.ts';
import type { Logger } from '../../base/logger.ts';
import { JwtBundle } from '../../spiffe/jwt-bundle.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { JwtBundleSource } from '../source.ts';
import type { DelegatedIdentityApi } from './api.ts';
import { isNoIdentityIssued, notADelegate, toIdentityError } from './status.ts';

export interface DelegatedJwtBundleSourceOptions {
  readonly api: DelegatedIdentityApi;
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Milliseconds within which a new stream must bring its first message. */
  readonly timeoutMs: number;
}

/** The waits before the stream is opened again; started over by each good message. */
const RECONNECT: Backoff = { firstMs: 200, maxMs: 10_000 };

/**
 * JWT bundles from the stream of SPIRE's Delegated Identity API.
 *
 * The stream is opened again for ever. Until a better one arrives the last good bundle of each trust domain stays: a
 * broken stream, an unreadable message or an unreadable bundle never takes keys away.
 */
export function createDelegatedJwtBundleSource(
  options: DelegatedJwtBundleSourceOptions,
): JwtBundleSource & { close(): void } {
  const { api, clock, logger } = options;
  const listeners = new Set<() => void>();
  let held: ReadonlyMap<string, JwtBundle> = new Map();
  let failures = 0;
  let lastError: SvidxError | undefined;
  let lastGoodAt: number | undefined;
  let closed = false;
  let timer: Timer = { cancel: () => {} };
  let cancelStream = (): void => {};

  function open(): void {
    cancelStream = api.subscribeToJwtBundles({ onMessage: receive, onEnd: (error) => reopen(toStreamError(error)) });
    timer = clock.after(options.timeoutMs, () => {
      cancelStream();
      reopen(new SvidxError('identity_unavailable', 'the SPIRE agent sent no bundle in time'));
    });
  }

  function reopen(error: SvidxError): void {
    if (closed) return;
    const waitMs = backoffDelay(failures, RECONNECT, options.random);
    // Once for each kind of trouble, not once for each attempt: an agent may be away for hours.
    if (error.code !== lastError?.code) {
      logger.warn({ event: 'bundles.stream_ended', error }, 'bundle stream ended, opening it again until it lasts');
    }
    lastError = error;
    failures += 1;
    timer.cancel();
    timer = clock.after(waitMs, open);
  }

  function receive(bundles: Readonly<Record<string, Uint8Array>> | undefined): void {
    timer.cancel();
    if (bundles === undefined) {
      logger.error(
        { event: 'bundles.bad_message' },
        'unreadable message in the bundle stream, keeping the last good bundles',
      );
      return;
    }
    if (lastError !== undefined) logger.info({ event: 'bundles.stream_resumed' }, 'the bundle stream is back');
    failures = 0;
    lastError = undefined;
    lastGoodAt = clock.now();
    const entries = Object.entries(bundles).map(([key, jwkSet]) => ({ trustDomain: readTrustDomain(key), jwkSet }));
    // A message is the complete state: whom it does not name is gone. That cannot be said where a name is unreadable.
    const next = new Map(entries.every(({ trustDomain }) => trustDomain !== undefined) ? [] : held);
    for (const { trustDomain, jwkSet } of entries) {
      const bundle = trustDomain === undefined ? undefined : read(trustDomain, jwkSet);
      if (bundle !== undefined) next.set(bundle.trustDomain.name, bundle);
    }
    const changed = next.size !== held.size || [...next].some(([name, bundle]) => bundle !== held.get(name));
    held = next;
    if (!changed) return;
    logger.info({ event: 'bundles.changed', bundles: [...next.values()].map(summary) }, 'JWT bundles changed');
    for (const listener of listeners) listener();
  }

  /** The bundle of this entry: the one already held where the entry says the same, or is unreadable. */
  function read(trustDomain: TrustDomain, jwkSet: Uint8Array): JwtBundle | undefined {
    const known = held.get(trustDomain.name);
    try {
      const bundle = JwtBundle.parse(trustDomain, jwkSet);
      return known?.equals(bundle) ? known : bundle;
    } catch (error) {
      logger.error({ event: 'bundles.bad_bundle', trustDomain, error }, 'unreadable bundle, keeping the last good one');
      return known;
    }
  }

  /** The agent keys its map with SPIFFE IDs; the contract's own comment speaks of names. Both are understood. */
  function readTrustDomain(key: string): TrustDomain | undefined {
    try {
      return TrustDomain.parse(key.startsWith('spiffe://') ? key.slice('spiffe://'.length) : key);
    } catch (error) {
      logger.error({ event: 'bundles.bad_trust_domain', error }, 'bundle of an invalid trust domain passed over');
      return undefined;
    }
  }

  function health(): Health {
    if (lastGoodAt === undefined) {
      return { state: 'down', code: 'bundle_unavailable', reason: lastError?.message ?? 'no bundle has arrived yet' };
    }
    if (lastError === undefined) return { state: 'up', reason: 'the bundle stream is open', lastGoodAt };
    return { state: 'degraded', code: lastError.code, reason: lastError.message, lastGoodAt };
  }

  open();
  return {
    health,
    get: (trustDomain) => held.get(trustDomain.name),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closed = true;
      timer.cancel();
      cancelStream();
      listeners.clear();
    },
  };
}

function toStreamError(error: unknown): SvidxError {
  if (error === undefined) return new SvidxError('identity_unavailable', 'the SPIRE agent closed the bundle stream');
  // The stream asks for no component's identity, so whoever has none is this service.
  if (isNoIdentityIssued(error)) return notADelegate('this service itself has no identity at the agent');
  return toIdentityError(error);
}

function summary(bundle: JwtBundle): object {
  return {
    trustDomain: bundle.trustDomain,
    keyIds: bundle.authorities.map(({ keyId }) => keyId),
    skippedKeys: bundle.skippedKeys,
  };
}
