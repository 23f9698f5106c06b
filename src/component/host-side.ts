import type { HttpErrorCode } from './egress/error-code.ts';
import type { ImportOutcome } from './host-import.ts';
import type { HeaderList, RequestHead, RequestTimeouts, ResponseHead } from './http-messages.ts';
import type { FromWorker, Job, OutputName, ToWorker } from './messages.ts';
import { chunksOf, createPipes, fill, type PipeReader } from './pipes.ts';

export type ImportRequest = Extract<FromWorker, { type: 'import' }>;

/** A request that a component makes. */
export interface ComponentRequest {
  readonly request: RequestHead;
  readonly timeouts: RequestTimeouts;
  /** `undefined` for none. Fails with a `BrokenPipe` where the component gave up on it. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** What follows the body, once that has been read to its end. */
  trailers(): HeaderList | undefined;
}

/** The answer to it. */
export interface ComponentResponse {
  readonly response: ResponseHead;
  readonly body: AsyncIterable<Uint8Array>;
  /** What follows the body, once that has been read to its end. */
  trailers(): Promise<HeaderList | undefined>;
}

/** Where stdout and stderr of one instance go. */
export interface OutputSink {
  write(stream: OutputName, bytes: Uint8Array): void;
  /** Nothing more comes. */
  end(): void;
}

/** What a component may cause outside its thread. None of these throws for what a component can do. */
export interface ComponentHandlers {
  onImport(request: ImportRequest): Promise<ImportOutcome>;
  /** @throws the `HttpErrorCode` that the component is told, or anything else for a defect of ours */
  onRequest(request: ComponentRequest, signal: AbortSignal): Promise<ComponentResponse>;
  /** Which error of HTTP a failed request, or a body that broke off, is for the component. */
  toHttpError(error: unknown): HttpErrorCode;
  /** Where the next instance writes to. */
  openOutput(): OutputSink;
}

/** An HTTP request for a component, and where its answer goes. */
export interface HttpJob {
  readonly kind: 'http';
  readonly request: RequestHead;
  /** `undefined` for none. Read once, and not further than the component takes it. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** What follows the body, once that has been read to its end. */
  trailers(): HeaderList | undefined;
  /** Called once at most, with the head of the answer and what it is followed by, if anything. */
  respond(response: ResponseHead, body: PipeReader | undefined): void;
  /** Called instead where the component says that it has no answer. */
  refuse(tag: HttpErrorCode['tag']): void;
}

/** The host's end of the border, for one instance of a component. */
export interface HostSide {
  /** The job as it crosses the border. Its body follows as soon as the caller has sent that. */
  start(job: HttpJob): Job;
  /** @param fail what to do about a defect of ours */
  receive(message: Exclude<FromWorker, { type: 'ready' | 'outcome' }>, fail: (error: unknown) => void): void;
  /** Nothing comes from this instance any more: its requests are given up, its bodies end. */
  close(): void;
}

const INCOMPLETE: HttpErrorCode = { tag: 'HTTP-response-incomplete' };

/** @param nextId names something new at the border: odd, as those of the component are even */
export function createHostSide(
  handlers: ComponentHandlers,
  post: (message: ToWorker, transfer?: readonly ArrayBuffer[]) => void,
  nextId: () => number,
): HostSide {
  // What comes late is not for the next instance.
  const send: typeof post = (message, transfer) => {
    if (!closing.signal.aborted) post(message, transfer);
  };
  const pipes = createPipes(send);
  const closing = new AbortController();
  const requests = new Map<number, AbortController>();
  let job: HttpJob | undefined;
  let output: OutputSink | undefined;

  async function answerImport(message: ImportRequest): Promise<void> {
    const outcome = await handlers.onImport(message);
    send({ type: 'import-outcome', id: message.id, outcome });
  }

  async function answerRequest({
    id,
    request,
    timeouts,
    body,
  }: Extract<FromWorker, { type: 'request' }>): Promise<void> {
    const giveUp = new AbortController();
    requests.set(id, giveUp);
    const reader = body === undefined ? undefined : pipes.reader(body);
    const outgoing: ComponentRequest = {
      request,
      timeouts,
      body: reader && chunksOf(reader),
      trailers: () => (reader?.end?.complete ? reader.end.trailers : undefined),
    };
    try {
      const {
        response,
        body: content,
        trailers,
      } = await handlers.onRequest(outgoing, AbortSignal.any([closing.signal, giveUp.signal]));
      closing.signal.throwIfAborted();
      const pipe = nextId();
      send({ type: 'response', id, response, body: pipe });
      const writer = pipes.writer(pipe);
      // An answer that nobody reads on holds a connection.
      writer.onStop = () => giveUp.abort();
      await fill(writer, content, trailers, handlers.toHttpError);
    } catch (error) {
      send({ type: 'response-failed', id, error: handlers.toHttpError(error) });
    } finally {
      // Nobody reads it any more: a component that is still writing is told so.
      reader?.stop();
      requests.delete(id);
    }
  }

  return {
    start(http) {
      job = http;
      if (http.body === undefined) return { kind: 'http', request: http.request, body: undefined };
      const body = nextId();
      void fill(
        pipes.writer(body),
        http.body,
        async () => http.trailers(),
        () => ({ tag: 'connection-terminated' }),
      );
      return { kind: 'http', request: http.request, body };
    },

    receive(message, fail) {
      switch (message.type) {
        case 'import':
          answerImport(message).catch(fail);
          break;
        case 'request':
          void answerRequest(message);
          break;
        case 'request-dropped':
          requests.get(message.id)?.abort();
          break;
        case 'respond':
          job?.respond(message.response, message.body === undefined ? undefined : pipes.reader(message.body));
          job = undefined;
          break;
        case 'respond-failed':
          job?.refuse(message.tag);
          job = undefined;
          break;
        case 'output':
          output ??= handlers.openOutput();
          output.write(message.stream, message.bytes);
          break;
        default:
          pipes.receive(message);
      }
    },

    close() {
      job = undefined;
      output?.end();
      pipes.close(INCOMPLETE);
      closing.abort();
    },
  };
}
