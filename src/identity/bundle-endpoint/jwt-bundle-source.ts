import { readFile } from 'node:fs/promises';
import { type Backoff, backoffDelay } from '../../base/backoff.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { SvidxError, toSvidxError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type BundleDocument, parseBundleDocument } from '../../spiffe/bundle-document.ts';
import type { JwtBundle } from '../../spiffe/jwt-bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { createHeldBundles } from '../held-bundles.ts';
import type { RunningJwtBundleSource } from '../source.ts';
import { getDocument } from './get-document.ts';

export interface EndpointJwtBundleSourceOptions {
  /** Whose bundle it is: the document does not say. */
  readonly trustDomain: TrustDomain;
  /** A bundle endpoint URL with the profile `https_web`. */
  readonly url: string;
  /** The path of a file with PEM certificates to trust instead of those Node comes with; read for each request. */
  readonly caFile: string | undefined;
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Milliseconds that one request may take, redirects included. */
  readonly timeoutMs: number;
}

/** SPIFFE Federation section 4.1: five minutes where the bundle has no refresh hint. Seconds. */
const DEFAULT_REFRESH = 300;

/** However short or long the hint: not a flood of requests, and a revoked key is gone within the hour. Seconds. */
const MIN_REFRESH = 10;
const MAX_REFRESH = 3600;

const RETRY: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/**
 * The JWT bundle of one trust domain from a SPIFFE bundle endpoint, such as that of a SPIRE server (SPIFFE Federation
 * section 5, profile `https_web`). Polled as often as the bundle itself asks for.
 *
 * A bundle with a lower sequence number than one that was seen is refused: it is an older one, whose keys may have been
 * revoked since. Whoever starts a trust domain's numbers anew starts this service anew.
 */
export function createEndpointJwtBundleSource(options: EndpointJwtBundleSourceOptions): RunningJwtBundleSource {
  const { trustDomain, clock, random } = options;
  const url = new URL(options.url);
  const held = createHeldBundles<JwtBundle>({ ...options, kind: 'JWT', wellReason: 'the bundle endpoint answers' });
  let sequence: bigint | undefined;
  let refreshMs = DEFAULT_REFRESH * 1000;
  let failures = 0;
  let timer: Timer = { cancel: () => {} };
  let request = new AbortController();
  let closed = false;

  async function poll(): Promise<void> {
    try {
      const document = await fetchDocument();
      if (closed) return;
      take(document);
      failures = 0;
      timer = clock.after(refreshMs * (1 - random() / 10), start);
    } catch (error) {
      if (closed) return;
      held.report(toSvidxError(error), {
        level: 'warn',
        event: 'bundles.endpoint_failed',
        message: 'no bundle from the bundle endpoint, keeping the last good one',
      });
      timer = clock.after(Math.min(backoffDelay(failures, RETRY, random), refreshMs), start);
      failures += 1;
    }
  }

  function start(): void {
    void poll();
  }

  function take(document: BundleDocument): void {
    if (sequence !== undefined && document.sequence !== undefined && document.sequence < sequence) {
      throw new SvidxError('bundle_invalid', 'the bundle endpoint answered with an older bundle than before', {
        detail: `its sequence number is ${document.sequence}, and ${sequence} was seen`,
      });
    }
    sequence = document.sequence ?? sequence;
    refreshMs = Math.min(Math.max(document.refreshHintSeconds ?? DEFAULT_REFRESH, MIN_REFRESH), MAX_REFRESH) * 1000;
    held.receive([{ trustDomain, bundle: document.bundle }]);
  }

  async function fetchDocument(): Promise<BundleDocument> {
    request = new AbortController();
    const { signal } = request;
    const timeout = clock.after(options.timeoutMs, () =>
      request.abort(new SvidxError('bundle_unavailable', 'the bundle endpoint did not answer in time')),
    );
    try {
      return parseBundleDocument(trustDomain, await getDocument(url, { ca: await readCa(options.caFile), signal }));
    } finally {
      timeout.cancel();
    }
  }

  start();
  return {
    ...held,
    // A bundle says itself how often it is fetched, and names its keys long before they sign (SPIFFE Federation section 5).
    hurry: () => {},
    close() {
      closed = true;
      request.abort();
      timer.cancel();
      held.close();
    },
  };
}

async function readCa(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const unusable = (problem: string, cause?: unknown): SvidxError =>
    new SvidxError('bundle_unavailable', `the file of trusted certificates ${problem}`, { detail: file, cause });
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unusable('cannot be read', error);
  });
  // Node takes an empty text for none at all, and would trust its own list.
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw unusable('has no certificate (PEM)');
  return text;
}
