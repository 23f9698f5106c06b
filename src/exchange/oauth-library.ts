import type { CustomFetch } from 'openid-client';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { describeAnswer, jsonBody } from './upstream.ts';

/** The library wants a client ID for every server. It is sent only by those who say so. */
export const NO_CLIENT = 'none';

/** What the library reads beside status and body: refusals (RFC 6750 section 3), and nonces for proofs (RFC 9449 section 8). */
const HEADERS = ['content-type', 'www-authenticate', 'dpop-nonce'];

/** Statuses whose answers have no body, for which `Response` takes none (Fetch standard, null body status). */
const WITHOUT_BODY = [204, 205, 304];

/**
 * Our HTTP client in the shape that `openid-client` calls. The library's own time limit goes by real time and is longer than
 * the client's, which therefore decides.
 * @param onAnswer told of each answer before the library reads it
 */
export function libraryFetch(
  http: HttpClient,
  signal: AbortSignal,
  onAnswer: (answer: HttpAnswer) => void,
): CustomFetch {
  return async (url, { method, headers, body }) => {
    const form = body instanceof URLSearchParams ? body.toString() : undefined;
    const answer = await http({ method, url, headers, body: form }, signal);
    onAnswer(answer);
    const { status } = answer;
    // The library also reads JSON that does not say that it is.
    if (status === 200 && jsonBody(answer) === undefined) throw new Error(describeAnswer(answer));
    return new Response(WITHOUT_BODY.includes(status) ? null : new Uint8Array(answer.body), {
      status,
      headers: HEADERS.flatMap((name) => {
        const value = answer.headers[name];
        return typeof value === 'string' ? [[name, value] as const] : [];
      }),
    });
  };
}
