import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { retry } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { ErrorCode, SvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { boundedBody } from './bounded-body.ts';

export type ExchangeCode = Extract<ErrorCode, `exchange_${string}`>;

export interface UpstreamRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The certificate authorities (PEM) that sign the server, in place of the public ones. */
  readonly ca?: string | undefined;
  /** How often it is sent at most; three times where nothing is said. */
  readonly attempts?: number;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** When its request was sent, milliseconds since 1970: what lives for so many seconds lives at least from then on. */
  readonly sentAt: number;
}

/** What an answer comes to: something, or a refusal and whether the same request may fare better a moment later. */
export type Outcome<T> = { readonly value: T } | { readonly error: SvidxError; readonly mayPass: boolean };

/** How a target's answers are understood, and its silence is put. */
export interface Protocol<T> {
  read(answer: UpstreamAnswer): Outcome<T>;
  toError(code: ExchangeCode, detail: string): SvidxError;
}

/** HTTP with targets whose SDKs let the connection be ours: bounded in time and size, and tried again where that may help. */
export interface Upstream {
  /**
   * Redirects are not followed, and nothing in the environment says where a request goes.
   * @throws SvidxError as the protocol puts it, or the signal's reason
   */
  post<T>(request: UpstreamRequest, protocol: Protocol<T>, signal: AbortSignal): Promise<T>;
}

export interface UpstreamOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

/**
 * The targets fetch the issuer's keys while we wait. Three attempts, with their waits, fit into the half minute that the
 * broker gives a load, also where the target asks for the longest pause that we make. Milliseconds.
 */
export const REQUEST_TIMEOUT_MS = 6_000;
const MAX_PAUSE_MS = 5_000;
const RETRY = { attempts: 3, firstMs: 200, maxMs: 2_000 };

/** Answers have some thousand bytes. */
const MAX_RESPONSE_BYTES = 256 * 1024;
const readBody = boundedBody(MAX_RESPONSE_BYTES);

const MAX_SOCKETS = 50;

export function createUpstream({ clock, random }: UpstreamOptions): Upstream {
  // Agents of our own: Node's global ones may take a proxy from the environment (NODE_USE_ENV_PROXY).
  const http = new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  // And certificates are verified, whatever NODE_TLS_REJECT_UNAUTHORIZED says.
  const https = new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS, rejectUnauthorized: true });

  function open({ url, headers, body, ca }: UpstreamRequest, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', headers: { ...headers, 'Content-Length': Buffer.byteLength(body) }, signal };
      const request = url.startsWith('https:')
        ? httpsRequest(url, { ...options, agent: https, ca }, resolve)
        : httpRequest(url, { ...options, agent: http }, resolve);
      request.on('error', reject);
      request.end(body);
    });
  }

  async function send(request: UpstreamRequest, signal: AbortSignal): Promise<UpstreamAnswer> {
    const sentAt = clock.now();
    const timeout = new AbortController();
    const timer = clock.after(REQUEST_TIMEOUT_MS, () => timeout.abort());
    try {
      const response = await open(request, AbortSignal.any([signal, timeout.signal]));
      const body = await readBody(response);
      return { status: response.statusCode ?? 0, headers: response.headers, body, sentAt };
    } catch (error) {
      if (timeout.signal.aborted) throw new UnansweredError(`no answer within ${REQUEST_TIMEOUT_MS / 1000} seconds`);
      throw error;
    } finally {
      timer.cancel();
    }
  }

  return {
    async post(request, { read, toError }, signal) {
      let mayPass = false;
      let pauseMs = 0;
      const attempt = async () => {
        let answer: UpstreamAnswer;
        try {
          pauseMs = 0;
          answer = await send(request, signal);
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          mayPass = isBrokenConnection(error);
          throw toError(mayPass ? 'exchange_unavailable' : 'exchange_response_invalid', describeError(error));
        }
        const outcome = read(answer);
        if ('value' in outcome) return outcome.value;
        pauseMs = askedPause(answer, clock.now());
        mayPass = outcome.mayPass && pauseMs <= MAX_PAUSE_MS;
        throw outcome.error;
      };
      const { attempts = RETRY.attempts } = request;
      const isRetryable = (): boolean => mayPass;
      return retry(attempt, { ...RETRY, attempts, clock, random, signal, isRetryable, pauseMs: () => pauseMs });
    },
  };
}

/** The JSON of an answer that says that it is JSON; `undefined` of any other. */
export function jsonBody({ headers, body }: UpstreamAnswer): unknown {
  return /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '') ? parseJson(body) : undefined;
}

/** What may be said of an answer that cannot be understood: nothing of its body, which may hold anything. */
export function describeAnswer({ status, headers, body }: UpstreamAnswer): string {
  return `HTTP ${status}, ${headers['content-type'] ?? 'no content type'}, ${body.length} bytes`;
}

/** What a library or the system said, with its code such as ECONNREFUSED. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  return [systemCodeOf(error) ?? error.name, error.message].join(', ');
}

class UnansweredError extends Error {
  readonly code = 'TIMEOUT';
}

/** The system, TLS or our patience ended it, so that it may go better another time; not so with what is no HTTP or too long. */
function isBrokenConnection(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code !== undefined && !code.startsWith('HPE_');
}

function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** `Retry-After` (RFC 9110 section 10.2.3) in seconds or as a date, where an answer says it with reason: in milliseconds. */
function askedPause({ status, headers }: UpstreamAnswer, now: number): number {
  const text = headers['retry-after'];
  if (text === undefined || (status !== 429 && status !== 503)) return 0;
  const pause = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(pause) ? 0 : Math.max(0, pause);
}
