import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Health } from '../base/health.ts';
import type { Logger } from '../base/logger.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { BundleSource } from './source.ts';

/** The keys of one trust domain, of either kind. */
export interface Bundle<B> {
  readonly trustDomain: TrustDomain;
  readonly authorities: readonly { readonly keyId: string }[];
  readonly skippedKeys: number;
  equals(other: B): boolean;
}

/** What the keys in a bundle sign, and the name of such bundles in logs. */
export type BundleKind = 'JWT' | 'X.509';

const SVIDS: Readonly<Record<BundleKind, string>> = { JWT: 'JWT-SVIDs', 'X.509': 'X509-SVIDs' };

export interface HeldBundlesOptions {
  readonly kind: BundleKind;
  /** The trust domain that this service lives on; without keys of it the source is `down`. */
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What health says while all is well, such as "the bundle stream is open". */
  readonly wellReason: string;
}

/** What a source says of one trust domain: its bundle, or why it cannot be read. */
export interface Reading<B> {
  /** `undefined` where not even the name can be read. */
  readonly trustDomain: TrustDomain | undefined;
  readonly bundle: B | SvidxError;
}

/** How trouble is logged. */
export interface TroubleReport {
  readonly level: 'warn' | 'error';
  readonly event: string;
  readonly message: string;
}

/**
 * The last good bundle of each trust domain, whatever they come from.
 *
 * Nothing but a readable bundle replaces a bundle, and nothing but a readable statement of who is there takes one away:
 * trouble of any kind is reported, and what is held stays.
 */
export interface HeldBundles<B> extends BundleSource<B> {
  /**
   * Takes in the complete state: whom it does not name is gone (SPIFFE Workload API section 4.4). An empty bundle is one
   * that trusts nothing, and replaces the one before (SPIFFE Trust Domain and Bundle section 4.1.3).
   * @returns whether the bundle of our own trust domain was there and good
   */
  receive(readings: readonly Reading<B>[]): boolean;
  /** Reports trouble with what the bundles come from: once for each kind, until all is well again. */
  report(error: SvidxError, how: TroubleReport): void;
  /** Forgets the listeners. */
  close(): void;
}

/** Beyond as many kinds of trouble at a time, the log has been told enough; the memory it takes stays bounded. */
const MAX_KINDS_OF_TROUBLE = 100;

const BAD_BUNDLE: TroubleReport = {
  level: 'error',
  event: 'bundles.bad_bundle',
  message: 'unreadable bundle, keeping the last good one',
};
const BAD_NAME: TroubleReport = {
  level: 'error',
  event: 'bundles.bad_trust_domain',
  message: 'bundle of an invalid trust domain passed over',
};

export function createHeldBundles<B extends Bundle<B>>(options: HeldBundlesOptions): HeldBundles<B> {
  const { kind, trustDomain, clock, logger, wellReason } = options;
  const listeners = new Set<() => void>();
  const reported = new Set<string>();
  let held: ReadonlyMap<string, B> = new Map();
  let trouble: SvidxError | undefined;
  let lastGoodAt: number | undefined;

  function report(error: SvidxError, how: TroubleReport, about?: TrustDomain): void {
    trouble = error;
    const said = JSON.stringify([how.event, error.code, error.message, about]);
    if (reported.has(said) || reported.size >= MAX_KINDS_OF_TROUBLE) return;
    reported.add(said);
    logger[how.level]({ event: how.event, kind, ...(about && { trustDomain: about }), error }, how.message);
  }

  function receive(readings: readonly Reading<B>[]): boolean {
    // Who is missing cannot be said where a name is unreadable.
    const next = new Map(readings.every((reading) => reading.trustDomain !== undefined) ? [] : held);
    let isOwnGood = false;
    let isAllGood = true;
    for (const { trustDomain: whose, bundle } of readings) {
      if (bundle instanceof SvidxError || whose === undefined) {
        isAllGood = false;
        if (bundle instanceof SvidxError) report(bundle, whose === undefined ? BAD_NAME : BAD_BUNDLE, whose);
      } else if (whose.equals(trustDomain)) {
        isOwnGood = true;
      }
      const chosen = whose && choose(held.get(whose.name), bundle);
      if (chosen !== undefined) next.set(chosen.trustDomain.name, chosen);
    }
    if (isOwnGood) lastGoodAt = clock.now();
    if (isAllGood) recover();
    replace(next);
    return isOwnGood;
  }

  function recover(): void {
    if (trouble !== undefined) logger.info({ event: 'bundles.recovered', kind }, 'the bundles can be read again');
    trouble = undefined;
    reported.clear();
  }

  function replace(next: ReadonlyMap<string, B>): void {
    const changed = next.size !== held.size || [...next].some(([name, bundle]) => bundle !== held.get(name));
    held = next;
    if (!changed) return;
    logger.info({ event: 'bundles.changed', kind, bundles: [...next.values()].map(summary) }, 'bundles changed');
    for (const listener of listeners) listener();
  }

  function health(): Health {
    const own = held.get(trustDomain.name);
    const heard = lastGoodAt === undefined ? {} : { lastGoodAt };
    if (own === undefined || own.authorities.length === 0) {
      const missing =
        own !== undefined
          ? `the bundle of ${trustDomain} has no key for ${SVIDS[kind]}: nothing is trusted`
          : lastGoodAt === undefined
            ? 'no bundle has arrived yet'
            : `there is no bundle of ${trustDomain} any more`;
      return { state: 'down', code: 'bundle_unavailable', reason: trouble?.message ?? missing, ...heard };
    }
    return trouble === undefined
      ? { state: 'up', reason: wellReason, ...heard }
      : { state: 'degraded', code: trouble.code, reason: trouble.message, ...heard };
  }

  return {
    get: (wanted) => held.get(wanted.name),
    all: () => [...held.values()],
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    health,
    receive,
    report: (error, how) => report(error, how),
    close: () => listeners.clear(),
  };
}

/** Of two bundles that trust the same keys the known one: whoever holds it sees that nothing changed. */
function choose<B extends Bundle<B>>(known: B | undefined, read: B | SvidxError): B | undefined {
  return read instanceof SvidxError || known?.equals(read) ? known : read;
}

function summary<B>(bundle: Bundle<B>): object {
  return {
    trustDomain: bundle.trustDomain,
    keyIds: bundle.authorities.map(({ keyId }) => keyId),
    skippedKeys: bundle.skippedKeys,
  };
}
