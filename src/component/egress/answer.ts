import type { IncomingMessage } from 'node:http';
import { EgressError } from './error-code.ts';
import { isForbiddenHeader } from './header-rules.ts';
import type { Fields, IncomingResponse } from './outgoing-request.ts';

export interface AnswerOptions {
  /** Waits for the next part of the body. */
  inTime<T>(work: Promise<T>): Promise<T>;
  /** What the reader is told, for what the connection has failed with. */
  toldOf(error: unknown): unknown;
  /** The connection is needed no more. */
  release(): void;
}

/** The answer of Node's client as the component gets it: its body from the moment on that somebody reads it. */
export function toIncomingResponse(response: IncomingMessage, options: AnswerOptions): IncomingResponse {
  // An error is told to the reader; it must not end the process where there is none.
  response.on('error', () => {});
  let resolveEnded = (): void => {};
  let rejectEnded = (_: unknown): void => {};
  const ended = new Promise<void>((resolve, reject) => {
    resolveEnded = resolve;
    rejectEnded = reject;
  });
  ended.catch(() => {});

  async function* body(): AsyncGenerator<Uint8Array, void> {
    const chunks: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await options.inTime(chunks.next());
        if (next.done) break;
        yield next.value;
      }
      resolveEnded();
    } catch (error) {
      const told = brokenOff(options.toldOf(error));
      rejectEnded(told);
      throw told;
    } finally {
      rejectEnded(new EgressError('HTTP-response-incomplete', 'its body was not read to the end'));
      options.release();
    }
  }

  return {
    status: response.statusCode ?? 0,
    headers: toFields(response.rawHeaders),
    body: body(),
    async trailers() {
      await ended;
      return response.rawTrailers.length === 0 ? undefined : toFields(response.rawTrailers);
    },
  };
}

/** The codings that there are (IANA, HTTP Transfer Coding Registry), in a list that is no longer than it needs to be. */
const REGISTERED_CODINGS = /^(?:(?:chunked|compress|deflate|gzip|x-compress|x-gzip)(?:, |$)){1,5}$/i;

/**
 * A transfer coding that we cannot undo; `undefined` for none, or the chunked one, which Node undoes. What is none at all is not
 * repeated: nobody has looked yet whether the far side has written credentials there.
 */
export function unknownTransferCoding({ rawHeaders }: IncomingMessage): string | undefined {
  const codings = pairs(rawHeaders).filter(([name]) => name.toLowerCase() === 'transfer-encoding');
  const coding = codings.map(([, value]) => value).join(', ');
  if (codings.length === 0 || coding.toLowerCase() === 'chunked') return undefined;
  return REGISTERED_CODINGS.test(coding) ? coding : 'unregistered';
}

/** After the head, a closed connection means that the answer is cut off, and too many headers are trailers. */
function brokenOff(told: unknown): unknown {
  if (!(told instanceof EgressError)) return told;
  switch (told.errorCode.tag) {
    case 'connection-terminated':
      return new EgressError('HTTP-response-incomplete', told.message);
    case 'HTTP-response-header-section-size':
      return new EgressError({ tag: 'HTTP-response-trailer-section-size', val: undefined }, told.message);
    default:
      return told;
  }
}

/** Without what is about the connection. */
function toFields(raw: readonly string[]): Fields {
  return pairs(raw)
    .filter(([name]) => !isForbiddenHeader(name))
    .map(([name, value]) => [name, Buffer.from(value, 'latin1')]);
}

/** Node has names and values in turn. */
function pairs(raw: readonly string[]): [name: string, value: string][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : []));
}
