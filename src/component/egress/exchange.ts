import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { toIncomingResponse, unknownTransferCoding } from './answer.ts';
import { EgressError } from './error-code.ts';
import { toEgressError } from './error-table.ts';
import type { IncomingResponse } from './outgoing-request.ts';
import { framing, upload } from './upload.ts';
import type { WireRequest } from './wire-request.ts';

export interface ExchangeLimits {
  readonly clock: Clock;
  /** Milliseconds, as in `OutgoingRequest`. */
  readonly firstByteTimeoutMs: number;
  readonly betweenBytesTimeoutMs: number;
}

/** The head of an answer, and all of its trailers. Bytes. */
const MAX_SECTION_BYTES = 64 * 1024;

/**
 * Sends a request over a connection that is used for nothing else, and gives the answer as soon as its head is there; the rest
 * of the request is sent meanwhile.
 * @param signal closes the connection, whenever it is aborted
 * @throws EgressError, or the signal's reason
 */
export function exchange(
  socket: Socket,
  request: WireRequest,
  { clock, firstByteTimeoutMs, betweenBytesTimeoutMs }: ExchangeLimits,
  signal: AbortSignal,
): Promise<IncomingResponse> {
  const outgoing = httpRequest({
    createConnection: () => socket,
    method: request.method,
    path: request.pathWithQuery,
    headers: [...request.headers, ...framing(request), ['Connection', 'close']].flat(),
    // Strict also where the process was started otherwise (--insecure-http-parser).
    insecureHTTPParser: false,
    maxHeaderSize: MAX_SECTION_BYTES,
  });
  // Their size is what is limited; a limit on their number would drop what is beyond it.
  outgoing.maxHeadersCount = 0;

  let cause: unknown;
  /** The first cause is the one that is told; the others follow from it. */
  function fail(error: unknown): void {
    cause ??= error;
    outgoing.destroy();
  }

  /** Whoever has aborted the request gets their own reason back. */
  function toldOf(error: unknown): unknown {
    const first = cause ?? error;
    return signal.aborted && first === signal.reason ? first : toEgressError(first);
  }

  async function within<T>(ms: number, late: EgressError, work: Promise<T>): Promise<T> {
    const timer = clock.after(ms, () => fail(late));
    try {
      return await work;
    } finally {
      timer.cancel();
    }
  }

  const abort = (): void => fail(signal.reason);
  signal.addEventListener('abort', abort);
  socket.once('close', () => signal.removeEventListener('abort', abort));
  if (signal.aborted) abort();

  const head = new Promise<IncomingResponse>((resolve, reject) => {
    outgoing.on('error', (error) => {
      fail(error);
      reject(toldOf(error));
    });
    outgoing.on('close', () => reject(toldOf(new EgressError('connection-terminated', 'closed without an answer'))));
    outgoing.on('upgrade', () => fail(new EgressError('HTTP-upgrade-failed', 'the far side changes the protocol')));
    outgoing.on('response', (response) => {
      const answer = toIncomingResponse(response, {
        inTime: (work) => within(betweenBytesTimeoutMs, SLOW_ANSWER, work),
        toldOf,
        release: () => socket.destroy(),
      });
      const coding = unknownTransferCoding(response);
      if (coding === undefined) resolve(answer);
      else
        fail(new EgressError({ tag: 'HTTP-response-transfer-coding', val: coding }, 'its transfer coding is unknown'));
    });
  });

  upload(outgoing, request, (work) => within(betweenBytesTimeoutMs, SLOW_UPLOAD, work))
    .then(() => (outgoing.destroyed ? undefined : within(firstByteTimeoutMs, NO_ANSWER, head)))
    .catch(fail);
  return head;
}

const SLOW_UPLOAD = new EgressError('connection-write-timeout', 'the far side does not take the request');
const NO_ANSWER = new EgressError('HTTP-response-timeout', 'no answer in time');
const SLOW_ANSWER = new EgressError('connection-read-timeout', 'the answer does not go on');
