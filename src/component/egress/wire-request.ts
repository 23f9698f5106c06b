import type { CheckedRequest, HeaderLines } from './checked-request.ts';
import { plainName } from './header-rules.ts';
import { joinQuery, parseQuery } from './query.ts';
import type { RequestTarget } from './request-target.ts';

/** A request as it goes over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly pathWithQuery: string;
  /** All of them but the length of the body. */
  readonly headers: HeaderLines;
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** How long the body is; `undefined` where nobody has said. Bytes. */
  readonly contentLength: number | undefined;
  trailers(): Promise<HeaderLines | undefined>;
}

/** The request as the component made it, but for what is the host's to say. */
export function toWireRequest({ method, target, headers, body, contentLength, trailers }: CheckedRequest): WireRequest {
  return {
    method,
    pathWithQuery: target.path + target.query,
    headers: [['Host', target.authority], ...headers],
    body,
    contentLength,
    trailers,
  };
}

/**
 * Headers and target without what these names stand for, however they are written: with underscores too, which servers that hand
 * headers on as variables (RFC 3875 section 4.1.18) take for dashes. And the answer is to be neither compressed nor in another
 * charset, so that it can be seen whether it brings the credentials back.
 * @param headerNames in lower case, as are those of the query's parameters
 */
export function without(
  { headers, target }: CheckedRequest,
  headerNames: readonly string[],
  parameterNames: readonly string[],
): { headers: HeaderLines; target: RequestTarget } {
  const kept = parseQuery(target.query).filter(({ name }) => !parameterNames.includes(name.toLowerCase()));
  return {
    headers: [
      ...headers.filter(([name]) => !['accept-charset', 'accept-encoding', ...headerNames].includes(plainName(name))),
      ['Accept-Encoding', 'identity'],
    ],
    target: { ...target, query: joinQuery(kept.map(({ text }) => text)) },
  };
}
