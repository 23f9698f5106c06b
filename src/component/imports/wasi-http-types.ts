import type { HttpErrorCode } from '../egress/error-code.ts';
import { isToken } from '../egress/header-rules.ts';
import type { Border } from '../guest/border.ts';
import type { RequestHead, ResponseHead } from '../http-messages.ts';
import type { PipeReader } from '../pipes.ts';
import { contentLength, FutureTrailers, IncomingBody, OutgoingBody, refuse } from './wasi-http-bodies.ts';
import { Fields } from './wasi-http-fields.ts';
import { type IoError, Pollable } from './wasi-io.ts';

/** `wasi:http/types` 0.2 (github.com/WebAssembly/wasi-http), inside a component's thread. */

interface Variant {
  readonly tag: string;
  readonly val?: string;
}

const METHODS = new Map(
  ['get', 'head', 'post', 'put', 'delete', 'connect', 'options', 'trace', 'patch'].map((tag) => [
    tag.toUpperCase(),
    tag,
  ]),
);

export class IncomingRequest {
  readonly #border: Border;
  readonly #head: RequestHead;
  readonly #reader: PipeReader | undefined;
  #given = false;

  constructor(border: Border, head: RequestHead, body: PipeReader | undefined) {
    this.#border = border;
    this.#head = head;
    this.#reader = body;
  }

  consume(): IncomingBody {
    if (this.#given) refuse();
    this.#given = true;
    return new IncomingBody(this.#border, this.#reader);
  }

  method(): Variant {
    const tag = METHODS.get(this.#head.method);
    return tag === undefined ? { tag: 'other', val: this.#head.method } : { tag };
  }

  pathWithQuery(): string {
    return this.#head.pathWithQuery;
  }

  scheme(): Variant {
    return { tag: this.#head.scheme.toUpperCase() };
  }

  authority(): string {
    return this.#head.authority;
  }

  headers(): Fields {
    return Fields.of(this.#head.headers, { immutable: true });
  }
}

export class IncomingResponse {
  readonly #border: Border;
  readonly #head: ResponseHead;
  readonly #reader: PipeReader;
  #given = false;

  constructor(border: Border, head: ResponseHead, body: PipeReader) {
    this.#border = border;
    this.#head = head;
    this.#reader = body;
  }

  consume(): IncomingBody {
    if (this.#given) refuse();
    this.#given = true;
    return new IncomingBody(this.#border, this.#reader);
  }

  status(): number {
    return this.#head.status;
  }

  headers(): Fields {
    return Fields.of(this.#head.headers, { immutable: true });
  }

  /** Dropped; if its body was asked for, that is another's. */
  [Symbol.dispose](): void {
    if (!this.#given) this.#reader.stop();
  }
}

/** `headers` becomes the request's. */
export class OutgoingRequest {
  readonly #border: Border;
  readonly #headers: Fields;
  #method: Variant = { tag: 'get' };
  #scheme: Variant | undefined;
  #authority: string | undefined;
  #pathWithQuery: string | undefined;
  #body: OutgoingBody | undefined;

  constructor(border: Border, headers: Fields) {
    this.#border = border;
    this.#headers = headers.freeze();
  }

  body(): OutgoingBody {
    if (this.#body !== undefined) refuse();
    this.#body = new OutgoingBody(this.#border, contentLength(this.#headers));
    return this.#body;
  }

  /** The body, if the component asked for it. */
  get outgoingBody(): OutgoingBody | undefined {
    return this.#body;
  }

  method(): Variant {
    return this.#method;
  }

  setMethod(method: Variant): void {
    if (method.tag === 'other' && !isToken(method.val ?? '')) refuse();
    this.#method = method;
  }

  pathWithQuery(): string | undefined {
    return this.#pathWithQuery;
  }

  setPathWithQuery(text: string | undefined): void {
    // RFC 3986 sections 3.3 and 3.4, and what browsers send besides: no space, no control character, no fragment.
    if (text !== undefined && !/^[\x21\x22\x24-\x7e]*$/.test(text)) refuse();
    this.#pathWithQuery = text;
  }

  scheme(): Variant | undefined {
    return this.#scheme;
  }

  setScheme(scheme: Variant | undefined): void {
    if (scheme?.tag === 'other' && !/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme.val ?? '')) refuse();
    this.#scheme = scheme;
  }

  authority(): string | undefined {
    return this.#authority;
  }

  setAuthority(text: string | undefined): void {
    // RFC 3986 section 3.2; whether it may be asked is decided where the request is made.
    if (text !== undefined && !/^[A-Za-z0-9._~!$&'()*+,;=:@%[\]-]+$/.test(text)) refuse();
    this.#authority = text;
  }

  headers(): Fields {
    return this.#headers;
  }

  /**
   * As it crosses the border.
   * @throws HttpErrorCode where something that every request needs is missing
   */
  head(): RequestHead {
    const [scheme, authority] = [this.#scheme?.tag ?? 'HTTPS', this.#authority];
    if (scheme !== 'HTTP' && scheme !== 'HTTPS') throw { tag: 'HTTP-protocol-error' } satisfies HttpErrorCode;
    if (authority === undefined) throw { tag: 'HTTP-request-URI-invalid' } satisfies HttpErrorCode;
    return {
      method: this.#method.tag === 'other' ? (this.#method.val ?? '') : this.#method.tag.toUpperCase(),
      scheme: scheme === 'HTTP' ? 'http' : 'https',
      authority,
      pathWithQuery: this.#pathWithQuery || '/',
      headers: this.#headers.list(),
    };
  }
}

export class OutgoingResponse {
  readonly #border: Border;
  readonly #headers: Fields;
  #status = 200;
  #body: OutgoingBody | undefined;

  constructor(border: Border, headers: Fields) {
    this.#border = border;
    this.#headers = headers.freeze();
  }

  statusCode(): number {
    return this.#status;
  }

  setStatusCode(status: number): void {
    // RFC 9110 section 15: the informational ones are the host's.
    if (status < 200 || status > 599) refuse();
    this.#status = status;
  }

  headers(): Fields {
    return this.#headers;
  }

  body(): OutgoingBody {
    if (this.#body !== undefined) refuse();
    this.#body = new OutgoingBody(this.#border, contentLength(this.#headers));
    return this.#body;
  }

  get outgoingBody(): OutgoingBody | undefined {
    return this.#body;
  }

  head(): ResponseHead {
    return { status: this.#status, headers: this.#headers.list() };
  }
}

/** `wasi:http/types.request-options`: times in nanoseconds. */
export class RequestOptions {
  #connect: bigint | undefined;
  #firstByte: bigint | undefined;
  #betweenBytes: bigint | undefined;

  connectTimeout(): bigint | undefined {
    return this.#connect;
  }

  setConnectTimeout(duration: bigint | undefined): void {
    this.#connect = duration;
  }

  firstByteTimeout(): bigint | undefined {
    return this.#firstByte;
  }

  setFirstByteTimeout(duration: bigint | undefined): void {
    this.#firstByte = duration;
  }

  betweenBytesTimeout(): bigint | undefined {
    return this.#betweenBytes;
  }

  setBetweenBytesTimeout(duration: bigint | undefined): void {
    this.#betweenBytes = duration;
  }
}

/** An answer on its way, or the reason why there is none. */
export type Settled =
  | { readonly tag: 'ok'; readonly val: IncomingResponse }
  | { readonly tag: 'err'; readonly val: HttpErrorCode };

export class FutureIncomingResponse {
  readonly #border: Border;
  readonly #settled: () => Settled | undefined;
  readonly #drop: () => void;
  #given = false;

  constructor(border: Border, settled: () => Settled | undefined, drop: () => void) {
    this.#border = border;
    this.#settled = settled;
    this.#drop = drop;
  }

  subscribe(): Pollable {
    return new Pollable(this.#border, () => this.#settled() !== undefined);
  }

  get(): { readonly tag: 'ok'; readonly val: Settled } | { readonly tag: 'err'; readonly val: undefined } | undefined {
    this.#border.look();
    const settled = this.#settled();
    if (settled === undefined) return undefined;
    if (this.#given) return { tag: 'err', val: undefined };
    this.#given = true;
    return { tag: 'ok', val: settled };
  }

  [Symbol.dispose](): void {
    if (!this.#given) this.#drop();
  }
}

export type ResponseOrError =
  | { readonly tag: 'ok'; readonly val: OutgoingResponse }
  | { readonly tag: 'err'; readonly val: HttpErrorCode };

/** Where the answer goes. */
export class ResponseOutparam {
  readonly #send: (answer: ResponseOrError) => void;

  constructor(send: (answer: ResponseOrError) => void) {
    this.#send = send;
  }

  static set(param: ResponseOutparam, answer: ResponseOrError): void {
    param.#send(answer);
  }
}

/** The HTTP trouble behind an error of a stream, if that is what it was. */
function httpErrorCode(error: IoError): unknown {
  return error.reason;
}

/** The classes of one thread: those that components construct themselves know its border without being told. */
export function createWasiHttpTypes(border: Border): Readonly<Record<string, unknown>> {
  class OwnRequest extends OutgoingRequest {
    constructor(headers: Fields) {
      super(border, headers);
    }
  }
  class OwnResponse extends OutgoingResponse {
    constructor(headers: Fields) {
      super(border, headers);
    }
  }
  return {
    Fields,
    FutureIncomingResponse,
    FutureTrailers,
    IncomingBody,
    IncomingRequest,
    IncomingResponse,
    OutgoingBody,
    OutgoingRequest: OwnRequest,
    OutgoingResponse: OwnResponse,
    RequestOptions,
    ResponseOutparam,
    httpErrorCode,
  };
}
