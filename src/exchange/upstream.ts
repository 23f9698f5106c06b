import { retry } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { ErrorCode, SvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { createHttpClient, describeError, type HttpAnswer, isBrokenConnection } from './http-client.ts';

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

export type UpstreamAnswer = HttpAnswer;

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
 * Three attempts, with their waits, fit into the half minute that the broker gives a load, also where the target asks for the
 * longest pause that we make. Milliseconds.
 */
export const RETRY = { attempts: 3, firstMs: 200, maxMs: 2_000 };
export const MAX_PAUSE_MS = 5_000;

export function createUpstream({ clock, random }: UpstreamOptions): Upstream {
  const http = createHttpClient(clock);

  return {
    async post(request, { read, toError }, signal) {
      let mayPass = false;
      let pauseMs = 0;
      const attempt = async () => {
        let answer: UpstreamAnswer;
        try {
          pauseMs = 0;
          answer = await http({ ...request, method: 'POST' }, signal);
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

/**
 * `Retry-After` (RFC 9110 section 10.2.3), in seconds or as a date.
 * @param now milliseconds since 1970
 * @returns milliseconds, 0 where the answer says nothing
 */
export function askedPause({ headers }: UpstreamAnswer, now: number): number {
  const text = headers['retry-after'] ?? '';
  const pause = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(pause) ? 0 : Math.max(0, pause);
}
