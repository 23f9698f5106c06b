import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { isForbiddenTrailer } from '../component/egress/header-rules.ts';
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
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * How long a client may take to read what is left of an answer when the component is done: at most the window of a pipe, for
 * which nobody else accounts. Milliseconds.
 */
const MAX_READ_MS = 60_000;

/** How much of a body is handed on at a time. Bytes. */
const MAX_CHUNK = 64 * 1024;

/** How much of a body that nobody wants is read, so that the connection can go on. Bytes. */
const MAX_SKIPPED = 1024 * 1024;

/** What a client is told; why exactly is the operator's business, and in the log. */
const MESSAGES: Readonly<Record<string, string>> = {
  component_trapped: 'the component trapped',
  component_timed_out: 'the component did not finish in time',
};

/** HTTP for a component that exports `wasi:http/incoming-handler`: each request goes to an instance of its own. */
export function createComponentHttp({ name, component, scheme, clock, logger }: ComponentHttpOptions): RequestListener {
  return async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new SvidxError('request_invalid', 'the client is gone'));
      else if (!request.readableEnded) skipRest(request);
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
          trailers: () => pairs(request.rawTrailers)?.filter(([name]) => !isForbiddenTrailer(name)),
          respond: answer.respond,
          refuse: answer.refuse,
        },
        gone.signal,
      );
      answer.end();
      if (response.destroyed) return;
      const timer = clock.after(MAX_READ_MS, () => response.destroy());
      response.once('close', timer.cancel);
    } catch (thrown) {
      if (gone.signal.aborted) return;
      if (thrown instanceof OutOfService) {
        const { message, reason } = thrown;
        logger.debug({ event: 'component.request_refused', component: name, error: reason }, message);
        sendJson(response, 503, { code: reason.code, message });
        return;
      }
      const error = toSvidxError(thrown);
      // Whoever ends us has ended its client too, and that is not yet known everywhere.
      if (error.code === 'service_stopping' && request.socket.destroyed) return;
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
  // RFC 9112 section 6.1: a coding that nobody here takes off would reach the component without a word about it.
  const coding = request.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    throw new SvidxError('request_invalid', 'Transfer-Encoding: expected chunked, and nothing else');
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
        const hasContent = response.req.method !== 'HEAD' && head.status !== 204 && head.status !== 304;
        const coming = body?.comingEnd;
        const headers = framed(head, hasContent, body);
        if (headers === undefined || (hasContent && coming?.complete === false)) {
          refused = coming?.complete === false ? coming.error.tag : 'HTTP-response-body-size';
          body?.stop();
          return;
        }
        answered = true;
        try {
          response.writeHead(head.status, headers.flat());
        } catch {
          // Node refuses it. Nobody would catch that here, and it would be the end of everybody.
          answered = false;
          refused = 'HTTP-protocol-error';
          body?.stop();
          return;
        }
        if (body !== undefined && hasContent) pour(body, response);
        else {
          response.end();
          if (body !== undefined) discard(body);
        }
      });
    },
    refuse(tag) {
      refused = tag;
    },
    end() {
      if (answered) return;
      const why = refused === undefined ? 'the component did not answer' : `the component answered with ${refused}`;
      throw new SvidxError('component_failed', why);
    },
  };
}

/**
 * The headers of an answer with at most one length, which is true: whoever reads on waits for so much (RFC 9112 section 6.3).
 * @returns `undefined` where the component has promised what it cannot keep
 */
function framed(
  { status, headers }: ResponseHead,
  hasContent: boolean,
  body: PipeReader | undefined,
): HeaderList | undefined {
  const others = headers.filter(([name]) => name.toLowerCase() !== 'content-length');
  const [told, another] = new Set(headers.filter((header) => !others.includes(header)).map(([, value]) => value));
  // RFC 9110 section 8.6: none with 204.
  if (status === 204) return others;
  if (told !== undefined) {
    const isKept = !hasContent || body !== undefined || Number(told) === 0;
    return another === undefined && /^\d{1,15}$/.test(told) && isKept
      ? [...others, ['Content-Length', told]]
      : undefined;
  }
  const end = body === undefined ? { complete: true, trailers: undefined } : body.comingEnd;
  if (!hasContent || !end?.complete || end.trailers !== undefined) return others;
  return [...others, ['Content-Length', `${body?.buffered ?? 0}`]];
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
      const trailers = end.trailers?.filter(([name]) => !isForbiddenTrailer(name)) ?? [];
      response.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
      response.end();
    }
  };
  body.onChange = advance;
  response.on('drain', advance);
  response.once('close', () => body.stop());
  advance();
}

/** Takes a body that is not sent, so that a component that writes one is not kept waiting. */
function discard(body: PipeReader): void {
  body.onChange = () => {
    while (body.take(MAX_CHUNK) !== undefined);
  };
  body.onChange();
}

/** What nobody read of a request stands in the way of the next one: so much is read now, for more the connection is closed. */
function skipRest(request: IncomingMessage): void {
  let skipped = 0;
  const advance = (): void => {
    for (let chunk = request.read(); chunk !== null; chunk = request.read()) skipped += chunk.length;
    if (skipped > MAX_SKIPPED) request.destroy();
  };
  request.on('readable', advance);
  advance();
}
