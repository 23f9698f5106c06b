import { handle } from 'wasi:http/outgoing-handler@0.2.12';
import {
  Fields,
  type FutureIncomingResponse,
  type IncomingResponse,
  OutgoingBody,
  OutgoingRequest,
} from 'wasi:http/types@0.2.12';
import { failureOf, refused } from './failure.ts';
import { readText } from './read-text.ts';
import { writeText } from './write-text.ts';

export interface Request {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Response {
  readonly status: number;
  readonly text: string;
  /** The first value of a header; the empty text where there is none. */
  header(name: string): string;
}

const INTERFACE = 'wasi:http/outgoing-handler';

/**
 * Sends a POST request. The engine's `fetch` would do, but it says no more than "NetworkError" when the host refuses;
 * `wasi:http` says why.
 * @throws Failure with the error code of `wasi:http` when the host refuses, or the server cannot be reached
 */
export function post({ url, headers, body }: Request): Response {
  // The host writes the `host` header from the authority, and does not take one from a component.
  const entries = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'host');
  const encoder = new TextEncoder();
  const request = new OutgoingRequest(
    Fields.fromList(entries.map(([name, value]): [string, Uint8Array] => [name, encoder.encode(value)])),
  );
  request.setMethod({ tag: 'post' });
  request.setScheme({ tag: url.protocol === 'http:' ? 'HTTP' : 'HTTPS' });
  request.setAuthority(url.host);
  request.setPathWithQuery(url.pathname + url.search);
  const outgoingBody = request.body();
  const answer = start(request);
  try {
    writeText(outgoingBody, body);
    OutgoingBody.finish(outgoingBody, undefined);
  } catch {
    // A server may answer before it has read everything. Whether it did, the answer says.
  }
  return received(wait(answer));
}

function start(request: OutgoingRequest): FutureIncomingResponse {
  try {
    return handle(request, undefined);
  } catch (thrown) {
    throw refused(INTERFACE, thrown);
  }
}

function wait(answer: FutureIncomingResponse): IncomingResponse {
  const ready = answer.subscribe();
  ready.block();
  ready[Symbol.dispose]();
  const result = answer.get();
  answer[Symbol.dispose]();
  if (result?.tag !== 'ok') throw failureOf(INTERFACE, { tag: 'internal-error' });
  if (result.val.tag === 'err') throw failureOf(INTERFACE, result.val.val);
  return result.val.val;
}

function received(response: IncomingResponse): Response {
  const headers = response.headers();
  const text = readText(response.consume(), 'answer');
  const status = response.status();
  const decoder = new TextDecoder();
  return { status, text, header: (name) => decoder.decode(headers.get(name)[0]) };
}
