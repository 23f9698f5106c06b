import type { HttpErrorCode } from '../egress/error-code.ts';
import type { Border } from '../guest/border.ts';
import { PIPE_WINDOW, type PipeReader, type PipeWriter } from '../pipes.ts';
import { Fields } from './wasi-http-fields.ts';
import {
  type ByteSink,
  type ByteSource,
  CLOSED,
  EMPTY_SOURCE,
  InputStream,
  IoError,
  OutputStream,
  Pollable,
} from './wasi-io.ts';

/** The bodies of `wasi:http/types`, and what comes after them. */

type Result<T, E> = { readonly tag: 'ok'; readonly val: T } | { readonly tag: 'err'; readonly val: E };

const NOTHING = new Uint8Array();

/** What `jco` hands on as the `err` of a result that has no value. */
export function refuse(): never {
  throw Object.assign(new Error('refused'), { payload: undefined });
}

/** A stream of a body that went wrong: `http-error-code` tells the component how. */
export function httpStreamError(error: HttpErrorCode): { readonly tag: string; readonly val: IoError } {
  return { tag: 'last-operation-failed', val: new IoError(error.tag, error) };
}

export class IncomingBody {
  readonly #border: Border;
  /** `undefined` for a message without a body. */
  readonly #reader: PipeReader | undefined;
  #given = false;

  constructor(border: Border, reader: PipeReader | undefined) {
    this.#border = border;
    this.#reader = reader;
  }

  stream(): InputStream {
    if (this.#given) refuse();
    this.#given = true;
    return new InputStream(this.#border, this.#reader === undefined ? EMPTY_SOURCE : sourceOf(this.#reader));
  }

  static finish(body: IncomingBody): FutureTrailers {
    return new FutureTrailers(body.#border, body.#reader);
  }

  [Symbol.dispose](): void {
    this.#reader?.stop();
  }
}

function sourceOf(reader: PipeReader): ByteSource {
  return {
    read(max) {
      const taken = reader.take(max);
      if (taken !== undefined) return taken;
      const { end } = reader;
      if (end === undefined) return NOTHING;
      throw end.complete ? CLOSED : httpStreamError(end.error);
    },
    isReady: () => reader.hasData || reader.end !== undefined,
    drop() {},
  };
}

export class FutureTrailers {
  readonly #border: Border;
  readonly #reader: PipeReader | undefined;
  #given = false;

  constructor(border: Border, reader: PipeReader | undefined) {
    this.#border = border;
    this.#reader = reader;
  }

  subscribe(): Pollable {
    return new Pollable(this.#border, () => this.#isReady());
  }

  get(): Result<Result<Fields | undefined, HttpErrorCode>, undefined> | undefined {
    this.#border.look();
    if (!this.#isReady()) return undefined;
    if (this.#given) return { tag: 'err', val: undefined };
    this.#given = true;
    const end = this.#reader?.end;
    if (end !== undefined && !end.complete) return { tag: 'ok', val: { tag: 'err', val: end.error } };
    const trailers = end?.trailers;
    const val = trailers === undefined ? undefined : Fields.of(trailers, { immutable: true });
    return { tag: 'ok', val: { tag: 'ok', val } };
  }

  [Symbol.dispose](): void {
    this.#reader?.stop();
  }

  /** What is left of the body is not wanted, but stands before its trailers. */
  #isReady(): boolean {
    const reader = this.#reader;
    if (reader === undefined) return true;
    while (reader.take(Number.MAX_SAFE_INTEGER) !== undefined);
    return reader.end !== undefined;
  }
}

/** A body on its way out. Until its message is sent it is held here, up to the window of a pipe. */
export class OutgoingBody {
  readonly #border: Border;
  readonly #contentLength: number | undefined;
  #writer: PipeWriter | undefined;
  #held: Uint8Array[] = [];
  #written = 0;
  #given = false;
  #end: ((writer: PipeWriter) => void) | undefined;

  /** @param contentLength what the message's header promises, in bytes */
  constructor(border: Border, contentLength: number | undefined) {
    this.#border = border;
    this.#contentLength = contentLength;
  }

  write(): OutputStream {
    if (this.#given) refuse();
    this.#given = true;
    return new OutputStream(this.#border, this.#sink());
  }

  static finish(body: OutgoingBody, trailers: Fields | undefined): void {
    if (body.#contentLength !== undefined && body.#written !== body.#contentLength) {
      const error: HttpErrorCode = { tag: 'HTTP-request-body-size', val: BigInt(body.#written) };
      body.#finish((writer) => writer.abort(error));
      throw error;
    }
    body.#finish((writer) => writer.finish(trailers?.list()));
  }

  /** Its message is sent: from now on it goes through this pipe. */
  attach(writer: PipeWriter): void {
    this.#writer = writer;
    writer.write(Buffer.concat(this.#held.splice(0)));
    this.#end?.(writer);
  }

  /** Dropped without `finish`, it is corrupt (wasi:http, `outgoing-body`). */
  [Symbol.dispose](): void {
    this.#finish((writer) => writer.abort({ tag: 'HTTP-response-incomplete' }));
  }

  #finish(end: (writer: PipeWriter) => void): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    if (this.#writer !== undefined) end(this.#writer);
  }

  #sink(): ByteSink {
    return {
      room: () => {
        if (this.#end !== undefined || this.#writer?.stopped) throw CLOSED;
        return this.#writer?.room ?? PIPE_WINDOW - this.#written;
      },
      write: (bytes) => {
        this.#written += bytes.length;
        if (this.#contentLength !== undefined && this.#written > this.#contentLength) {
          throw httpStreamError({ tag: 'HTTP-request-body-size', val: BigInt(this.#written) });
        }
        if (this.#writer === undefined) this.#held.push(bytes.slice());
        else this.#writer.write(bytes);
      },
      drop() {},
    };
  }
}

/** The length that the headers promise; a second one that differs, or one that is no number, promises nothing that can be kept. */
export function contentLength(fields: Fields): number | undefined {
  const values = new Set(fields.get('content-length').map((value) => Buffer.from(value).toString('latin1')));
  if (values.size === 0) return undefined;
  const [text = ''] = values;
  if (values.size > 1 || !/^\d{1,15}$/.test(text)) refuse();
  return Number(text);
}
