import { type Backoff, backoffDelay } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { type Bundle, type BundleKind, createHeldBundles, type Reading, type TroubleReport } from './held-bundles.ts';
import type { RunningBundleSource } from './source.ts';

export interface BundleStreamHandlers {
  /** The complete state: from trust domain (its SPIFFE ID or its name) to bundle; `undefined` for a bad message. */
  onMessage(bundles: Readonly<Record<string, Uint8Array>> | undefined): void;
  /** Called once, whatever ended the stream; `undefined` when the server closed it in good order. */
  onEnd(error: unknown): void;
}

/** What a stream needs of the world around it. */
export interface BundleStreamDeps {
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Milliseconds within which a new stream must bring its first good message. */
  readonly timeoutMs: number;
}

export interface BundleStreamOptions<B> extends BundleStreamDeps {
  readonly kind: BundleKind;
  /** @throws SvidxError for bytes that are no bundle */
  parse(trustDomain: TrustDomain, bytes: Uint8Array): B;
  /**
   * Opens a stream on a connection of its own. Returns the function that cancels it, after which no handler is called.
   * On a connection that is shared, one whose other end has gone without a word would take every further stream with it.
   */
  subscribe(handlers: BundleStreamHandlers): () => void;
  /** What an error that ended a stream means. */
  toError(error: unknown): SvidxError;
}

/** The waits before a stream is opened again; started over by each good message. */
const RECONNECT: Backoff = { firstMs: 200, maxMs: 10_000 };

/**
 * The same after an answer that asking again does not change (InvalidArgument, Unimplemented: SPIFFE Workload Endpoint
 * section 6). Not never: another agent may come to serve the same socket, and nobody wants to restart us for it.
 */
const REFUSED: Backoff = { firstMs: 60_000, maxMs: 60_000 };

/** How long after one attempt that was hurried no other one is. Milliseconds. */
const HURRY_INTERVAL_MS = 1_000;

/**
 * How long a stream is relied on before another one takes its place; half of it is jitter.
 *
 * An open stream is silent for hours, and its silence says nothing: SPIRE sends no keepalive data, and answers pings that
 * come more often than every five minutes with GOAWAY. The other end may be gone; a trust domain that is no longer
 * federated stays in the messages of an open Delegated Identity stream until it is opened anew; and one whose registration
 * entry was deleted lives on until the next change. The first message of a new stream settles all three.
 */
const RENEWAL: Backoff = { firstMs: 600_000, maxMs: 600_000 };

const STREAM_ENDED: TroubleReport = {
  level: 'warn',
  event: 'bundles.stream_ended',
  message: 'bundle stream ended, opening it again until it lasts',
};
const BAD_MESSAGE: TroubleReport = {
  level: 'error',
  event: 'bundles.bad_message',
  message: 'unreadable message in the bundle stream, keeping the last good bundles',
};

interface Stream {
  cancel(): void;
}

/**
 * Bundles from a gRPC stream whose every message is the complete state.
 *
 * The stream is opened again for ever, and replaced by a new one from time to time, make before break: the old one is
 * listened to until the new one has brought its first good message. A broken stream, an unreadable message or an
 * unreadable bundle never takes keys away. That goes for PermissionDenied too, on which the Workload API (section 6.2.2)
 * would rather have bundles unloaded: an agent that has just been started says it to everybody for a second, what is
 * held are public keys, and those that are revoked are so by a message without them.
 */
export function createBundleStream<B extends Bundle<B>>(options: BundleStreamOptions<B>): RunningBundleSource<B> {
  const { clock, random } = options;
  const held = createHeldBundles<B>({ ...options, wellReason: 'the bundle stream is open' });
  /** The stream that has brought bundles. */
  let current: Stream | undefined;
  /** The stream that has yet to. */
  let next: Stream | undefined;
  let isRetrying = false;
  let failures = 0;
  let hurriedUntil = 0;
  let timer: Timer = { cancel: () => {} };
  let closed = false;

  function open(): void {
    isRetrying = false;
    const stream: Stream = { cancel: () => {} };
    next = stream;
    timer = clock.after(options.timeoutMs, () => {
      stream.cancel();
      ended(stream, new SvidxError('identity_unavailable', 'the SPIRE agent sent no bundle in time'));
    });
    stream.cancel = options.subscribe({
      onMessage: (bundles) => receive(stream, bundles),
      onEnd: (error) => ended(stream, options.toError(error)),
    });
  }

  function receive(stream: Stream, bundles: Readonly<Record<string, Uint8Array>> | undefined): void {
    const entries = Object.entries(bundles ?? {});
    // An empty map is a mandatory field that is not there: to be reported and discarded (Workload API section 4.5).
    if (entries.length === 0) {
      held.report(new SvidxError('bundle_invalid', 'the bundle stream brought an unreadable message'), BAD_MESSAGE);
      return;
    }
    if (stream === next) relyOn(stream);
    if (held.receive(entries.map(([key, bytes]) => read(key, bytes, options.parse)))) failures = 0;
  }

  function relyOn(stream: Stream): void {
    current?.cancel();
    current = stream;
    next = undefined;
    timer.cancel();
    timer = clock.after(backoffDelay(0, RENEWAL, random), open);
  }

  function ended(stream: Stream, error: SvidxError): void {
    if (closed || (stream !== current && stream !== next)) return;
    if (stream === current) current = undefined;
    else next = undefined;
    held.report(error, STREAM_ENDED);
    if (next !== undefined || isRetrying) return;
    isRetrying = true;
    timer.cancel();
    timer = clock.after(
      backoffDelay(failures, error.code === 'identity_request_rejected' ? REFUSED : RECONNECT, random),
      open,
    );
    failures += 1;
  }

  open();
  return {
    ...held,
    hurry() {
      // An open stream brings what is new by itself; one that waits for its next attempt may wait too long.
      if (closed || !isRetrying || clock.now() < hurriedUntil) return;
      hurriedUntil = clock.now() + HURRY_INTERVAL_MS;
      timer.cancel();
      open();
    },
    close() {
      closed = true;
      timer.cancel();
      current?.cancel();
      next?.cancel();
      held.close();
    },
  };
}

function read<B>(key: string, bytes: Uint8Array, parse: BundleStreamOptions<B>['parse']): Reading<B> {
  let trustDomain: TrustDomain | undefined;
  try {
    // The agent keys its map with SPIFFE IDs; SPIRE's contract speaks of names. Both are understood.
    trustDomain = TrustDomain.parse(key.startsWith('spiffe://') ? key.slice('spiffe://'.length) : key);
    return { trustDomain, bundle: parse(trustDomain, bytes) };
  } catch (error) {
    return { trustDomain, bundle: toSvidxError(error) };
  }
}
