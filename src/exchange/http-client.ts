import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../base/clock.ts';
import { boundedBody } from './bounded-body.ts';

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** The certificate authorities (PEM) that sign the server, in place of the public ones. */
  readonly ca?: string | undefined;
}

/** An answer, read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** When its request was sent, milliseconds since 1970: what lives for so many seconds lives at least from then on. */
  readonly sentAt: number;
}

/**
 * Sends one request and reads the answer, whatever its status. Redirects are answers like others: never followed.
 * @throws the signal's reason; else an error that `isBrokenConnection` tells apart
 */
export type HttpClient = (request: HttpRequest, signal: AbortSignal) => Promise<HttpAnswer>;

/** From the connection to the last byte of the answer: targets fetch the issuer's keys while we wait. Milliseconds. */
export const REQUEST_TIMEOUT_MS = 6_000;

/** Answers have some thousand bytes. */
const MAX_RESPONSE_BYTES = 256 * 1024;
const readBody = boundedBody(MAX_RESPONSE_BYTES);

const MAX_SOCKETS = 50;

/**
 * How every server is met that a JWT-SVID is sent to. Neither environment nor command line may turn off the check of certificates
 * (NODE_TLS_REJECT_UNAUTHORIZED) or allow what is older than TLS 1.2 (--tls-min-v1.0; RFC 9325 section 3.1.1).
 */
export const VERIFIED_TLS = { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;

/** HTTP for what carries a JWT-SVID: bounded in time and size, and nothing in the environment says where a request goes. */
export function createHttpClient(clock: Clock): HttpClient {
  // Agents of our own: Node's global ones, and `fetch`, may take a proxy from the environment (NODE_USE_ENV_PROXY).
  const http = new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const https = new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS, ...VERIFIED_TLS });

  function open({ method, url, headers, body = '', ca }: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const length = body === '' ? {} : { 'Content-Length': Buffer.byteLength(body) };
      const options = { method, headers: { ...headers, ...length }, signal };
      const request = url.startsWith('https:')
        ? httpsRequest(url, { ...options, agent: https, ca }, resolve)
        : httpRequest(url, { ...options, agent: http }, resolve);
      request.on('error', reject);
      request.end(body);
    });
  }

  return async (request, signal) => {
    const sentAt = clock.now();
    const timeout = new AbortController();
    const timer = clock.after(REQUEST_TIMEOUT_MS, () => timeout.abort());
    try {
      const response = await open(request, AbortSignal.any([signal, timeout.signal]));
      const body = await readBody(response);
      return { status: response.statusCode ?? 0, headers: response.headers, body, sentAt };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (timeout.signal.aborted) throw new UnansweredError(`no answer within ${REQUEST_TIMEOUT_MS / 1000} seconds`);
      throw error;
    } finally {
      timer.cancel();
    }
  };
}

class UnansweredError extends Error {
  readonly code = 'TIMEOUT';
}

/** The system, TLS or our patience ended it, so that it may go better another time; not so with what is no HTTP or too long. */
export function isBrokenConnection(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code !== undefined && !code.startsWith('HPE_');
}

/** What a library or the system said, with its code such as ECONNREFUSED. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  return [systemCodeOf(error) ?? error.name, error.message].join(', ');
}

function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
