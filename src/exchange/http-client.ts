import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../base/clock.ts';
import { boundedBody } from './bounded-body.ts';

export interface HttpClientOptions {
  readonly clock: Clock;
  /** Milliseconds that one request may take, from the connection to the last byte of the answer. */
  readonly timeoutMs: number;
  /** How much of a body is read at most. */
  readonly maxBytes: number;
}

export interface HttpQuestion {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

/** An answer, read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer<ArrayBuffer>;
}

/**
 * Sends one request and reads the answer, whatever its status. Redirects are answers like others: never followed.
 * @throws the reason of the question's signal; an error with a `code`, such as `ECONNREFUSED`, when no whole answer came
 *   (`ETIMEDOUT` when time is up); one without when the answer is too long
 */
export type HttpClient = (url: string, question: HttpQuestion) => Promise<HttpAnswer>;

/**
 * HTTP for requests that carry a JWT-SVID.
 *
 * Its agents are its own: the global ones, and `fetch`, can be sent through a proxy by the host's environment
 * (NODE_USE_ENV_PROXY), and their check of certificates turned off (NODE_TLS_REJECT_UNAUTHORIZED).
 */
export function createHttpClient({ clock, timeoutMs, maxBytes }: HttpClientOptions): HttpClient {
  const plain = new HttpAgent({ keepAlive: true });
  const secure = new HttpsAgent({ keepAlive: true, rejectUnauthorized: true });
  const readBody = boundedBody(maxBytes);

  function send(url: string, question: HttpQuestion, signal: AbortSignal): Promise<IncomingMessage> {
    const { method, headers } = question;
    return new Promise((resolve, reject) => {
      const request = url.startsWith('https:')
        ? httpsRequest(url, { method, headers, signal, agent: secure }, resolve)
        : httpRequest(url, { method, headers, signal, agent: plain }, resolve);
      request.on('error', reject);
      request.end(question.body);
    });
  }

  return async (url, question) => {
    const limit = new AbortController();
    const timer = clock.after(timeoutMs, () => limit.abort());
    try {
      const response = await send(url, question, AbortSignal.any([question.signal, limit.signal]));
      const body = Buffer.from(await readBody(response));
      return { status: response.statusCode ?? 0, headers: headersOf(response), body };
    } catch (error) {
      if (question.signal.aborted) throw question.signal.reason;
      if (limit.signal.aborted) throw Object.assign(new Error(`no answer in ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
      throw error;
    } finally {
      timer.cancel();
    }
  };
}

function headersOf(response: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(response.headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return headers;
}
