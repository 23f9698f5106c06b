import type { HttpErrorCode } from '../egress/error-code.ts';
import { isToken } from '../egress/header-rules.ts';
import type { Border } from '../guest/border.ts';
import type { RequestHead, ResponseHead } from '../http-messages.ts';
import { contentLength, OutgoingBody, refuse } from './wasi-http-bodies.ts';
import type { Fields } from './wasi-http-fields.ts';
import type { TextVariant } from './wasi-http-incoming.ts';

/** The messages of `wasi:http/types` that go out, and where they go. */

/** How long a path with its query may be, and a method or an authority: characters. More is a mistake or an attack. */
const MAX_PATH_LENGTH = 65_536;
const MAX_NAME_LENGTH = 1_024;

/** `headers` becomes the request's. */
export class OutgoingRequest {
  readonly #border: Border;
  readonly #headers: Fields;
  #method: TextVariant = { tag: 'get' };
  #scheme: TextVariant | undefined;
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

  method(): TextVariant {
    return this.#method;
  }

  setMethod(method: TextVariant): void {
    if (method.tag === 'other' && (isTooLong(method.val) || !isToken(method.val ?? ''))) refuse();
    this.#method = method;
  }

  pathWithQuery(): string | undefined {
    return this.#pathWithQuery;
  }

  setPathWithQuery(text: string | undefined): void {
    // RFC 3986 sections 3.3 and 3.4, and what browsers send besides: no space, no control character, no fragment.
    if (isTooLong(text, MAX_PATH_LENGTH) || (text !== undefined && !/^[\x21\x22\x24-\x7e]*$/.test(text))) refuse();
    this.#pathWithQuery = text;
  }

  scheme(): TextVariant | undefined {
    return this.#scheme;
  }

  setScheme(scheme: TextVariant | undefined): void {
    if (scheme?.tag === 'other' && (isTooLong(scheme.val) || !/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme.val ?? '')))
      refuse();
    this.#scheme = scheme;
  }

  authority(): string | undefined {
    return this.#authority;
  }

  setAuthority(text: string | undefined): void {
    // RFC 3986 section 3.2; whether it may be asked is decided where the request is made.
    if (isTooLong(text) || (text !== undefined && !/^[A-Za-z0-9._~!$&'()*+,;=:@%[\]-]+$/.test(text))) refuse();
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

function isTooLong(text: string | undefined, max = MAX_NAME_LENGTH): boolean {
  return text !== undefined && text.length > max;
}
