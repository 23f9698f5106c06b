import type { CustomFetch } from 'openid-client';
import type { HttpAnswer, HttpClient } from './http-client.ts';

/** The library wants a client ID for every server. It is sent only by those who say so. */
export const NO_CLIENT = 'none';

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
    const answer = await http(url, { method, headers, body: form, signal });
    onAnswer(answer);
    return new Response(WITHOUT_BODY.includes(answer.status) ? null : answer.body, {
      status: answer.status,
      headers: answer.headers,
    });
  };
}
