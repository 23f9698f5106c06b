import type { ClientRequest } from 'node:http';
import { type HeaderLines, wrongLength } from './checked-request.ts';
import { EgressError } from './error-code.ts';
import type { WireRequest } from './wire-request.ts';

/** Methods of which a server may want to know that they come without a body (RFC 9110 section 8.6). */
const EXPECTS_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Exactly one of the two ways to say where a body ends, or none where there is none (RFC 9112 section 6). */
export function framing({ method, body, contentLength }: WireRequest): HeaderLines {
  if (contentLength !== undefined) return [['Content-Length', String(contentLength)]];
  if (body !== undefined) return [['Transfer-Encoding', 'chunked']];
  return EXPECTS_BODY.has(method) ? [['Content-Length', '0']] : [];
}

/**
 * Sends the body, no faster than the connection takes it, and the trailers. Stops where the connection is closed.
 * @param inTime waits for the connection to take more
 * @throws what the body throws; EgressError `HTTP-request-body-size` where it has not the length that was said
 */
export async function upload(
  outgoing: ClientRequest,
  { body, contentLength, trailers }: WireRequest,
  inTime: (work: Promise<void>) => Promise<void>,
): Promise<void> {
  let sent = 0;
  if (body !== undefined) {
    // Whoever waits for the body sees at least the head. `flushHeaders` would send it as UTF-8.
    outgoing.write('', 'latin1');
    for await (const chunk of body) {
      if (outgoing.destroyed) return;
      sent += chunk.length;
      if (contentLength !== undefined && sent > contentLength) throw wrongLength(sent);
      if (chunk.length > 0 && !outgoing.write(chunk)) await inTime(drained(outgoing));
    }
    if (contentLength !== undefined && sent !== contentLength) throw wrongLength(sent);
  }
  const fields = await trailers();
  if (fields !== undefined && fields.length > 0) {
    // RFC 9110 section 6.5.1: only the chunked coding has a place for them.
    if (body === undefined || contentLength !== undefined) {
      throw new EgressError({ tag: 'HTTP-request-trailer-section-size', val: 0 }, 'trailers, but no chunked body');
    }
    outgoing.addTrailers(fields.map(([name, value]): [string, string] => [name, value]));
  }
  outgoing.end();
}

/** Resolves once more can be written, or the connection is closed. */
function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.on('drain', done);
    outgoing.on('close', done);
    if (outgoing.destroyed) done();
  });
}
