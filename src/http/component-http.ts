import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { LoadedComponent } from '../component/host.ts';
import type { HttpJob } from '../component/host-side.ts';
import { type HeaderList, type ResponseHead, withoutForbidden } from '../component/http-messages.ts';
import { OutOfService } from '../component/out-of-service.ts';
import type { PipeReader } from '../component/pipes.ts';
import { sendError, sendJson } from './errors.ts';

export interface ComponentHttpOptions {
  /** Its name, for the log. */
  readonly name: string;
  readonly component: Pick<LoadedComponent, 'serve'>;
  readonly scheme: 'http' | 'https';
  readonly logger: Logger;
}

/** How much of a body is handed on at a time. Bytes. */
const MAX_CHUNK = 64 * 1024;

/** What a client is told; why exactly is the operator's business, and in the log. */
const MESSAGES: Readonly<Record<string, string>> = {
  component_trapped: 'the component trapped',
  component_timed_out: 'the component did not finish in time',
};

/** HTTP for a component that exports `wasi:http/incoming-handler`: each request goes to an instance of its own. */
export function createComponentHttp({ name, component, scheme, logger }: ComponentHttpOptions): RequestListener {
  return async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new SvidxError('request_invalid', 'the client is gone'));
      // What the component did not read of the request stands in the way of the next one.
      else if (!request.complete) request.destroy();
    });
    try {
      const head = readHead(request, scheme);
      if (hasBody(request)) await once(request, 'readable', { signal: gone.signal });
      const answer = createAnswer(response);
      await component.serve(
        {
          kind: 'http',
          request: head,
          body: hasBody(request) ? request.iterator({ destroyOnReturn: false }) : undefined,
          trailers: () => pairs(request.rawTrailers),
          respond: answer.respond,
          refuse: answer.refuse,
        },
        gone.signal,
      );
      answer.end();
    } catch (thrown) {
      if (gone.signal.aborted) return;
      if (thrown instanceof OutOfService) {
        const { message, reason } = thrown;
        logger.debug({ event: 'component.request_refused', component: name, error: reason }, message);
        sendJson(response, 503, { code: reason.code, message });
        return;
      }
      const error = toSvidxError(thrown);
      logger.warn({ event: 'component.request_failed', component: name, error }, 'a component did not answer');
      if (response.headersSent) response.destroy();
      else sendError(response, new SvidxError(error.code, MESSAGES[error.code] ?? error.message));
    }
  };
}

function readHead(request: IncomingMessage, scheme: 'http' | 'https'): HttpJob['request'] {
  const { method = '', url = '' } = request;
  const headers = pairs(request.rawHeaders) ?? [];
  const [host, another] = headers.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value);
  // RFC 9112 sections 3.2 and 3.2.1: a request to an origin names its host once, and a path.
  if (host === undefined || another !== undefined || !/^[A-Za-z0-9._~:[\]-]{1,261}$/.test(host)) {
    throw new SvidxError('request_invalid', 'Host: expected exactly one, a host and perhaps a port');
  }
  if (!url.startsWith('/')) throw new SvidxError('request_invalid', 'expected a path, from its first slash on');
  return { method, scheme, authority: host, pathWithQuery: url, headers: withoutForbidden(headers) };
}

/** RFC 9112 section 6: there is one if its length or its coding is told. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Names and values, which Node gives one after the other. */
function pairs(raw: readonly string[]): HeaderList | undefined {
  if (raw.length === 0) return undefined;
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as const] : []));
}

interface Answer extends Pick<HttpJob, 'respond' | 'refuse'> {
  /**
   * The component is done.
   * @throws SvidxError `component_failed` where it has not answered
   */
  end(): void;
}

function createAnswer(response: ServerResponse): Answer {
  let refused: string | undefined;
  let answered = false;
  return {
    respond(head, body) {
      // Once all that came with the head is there: then the end of a short answer is known.
      queueMicrotask(() => {
        const coming = body?.comingEnd;
        if (coming?.complete === false) {
          refused = coming.error.tag;
          body?.stop();
          return;
        }
        answered = true;
        response.writeHead(head.status, [...head.headers, ...lengthOf(head, body, response.req.method)].flat());
        if (body === undefined) response.end();
        else pour(body, response);
      });
    },
    refuse({ tag }) {
      refused = tag;
    },
    end() {
      if (answered) return;
      const why = refused === undefined ? 'the component did not answer' : `the component answered with ${refused}`;
      throw new SvidxError('component_failed', why);
    },
  };
}

/** The length of a body that is there already, unless the component has said something about it, or there is none to send. */
function lengthOf(
  { status, headers }: ResponseHead,
  body: PipeReader | undefined,
  method: string | undefined,
): HeaderList {
  if (method === 'HEAD' || status === 204 || status === 304) return [];
  const end = body === undefined ? { complete: true, trailers: undefined } : body.comingEnd;
  const told = headers.some(([name]) => name.toLowerCase() === 'content-length');
  if (told || !end?.complete || end.trailers !== undefined) return [];
  return [['Content-Length', `${body?.buffered ?? 0}`]];
}

/** All of a body to the client, no faster than that takes it. A body that breaks off breaks the connection. */
function pour(body: PipeReader, response: ServerResponse): void {
  const advance = (): void => {
    while (!response.writableNeedDrain && !response.destroyed) {
      const chunk = body.take(MAX_CHUNK);
      if (chunk === undefined) break;
      response.write(chunk);
    }
    const { end } = body;
    if (end === undefined) return;
    if (!end.complete) response.destroy();
    else if (!response.writableEnded) {
      if (end.trailers !== undefined)
        response.addTrailers(end.trailers.map(([name, value]): [string, string] => [name, value]));
      response.end();
    }
  };
  body.onChange = advance;
  response.on('drain', advance);
  response.once('close', () => body.stop());
  advance();
}
