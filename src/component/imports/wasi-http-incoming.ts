import type { HttpErrorCode } from '../egress/error-code.ts';
import type { Border } from '../guest/border.ts';
import type { RequestHead, ResponseHead } from '../http-messages.ts';
import type { PipeReader } from '../pipes.ts';
import { IncomingBody, refuse } from './wasi-http-bodies.ts';
import { Fields } from './wasi-http-fields.ts';
import { Pollable } from './wasi-io.ts';

/** The messages of `wasi:http/types` that come in. */

/** A variant of WIT whose cases have a text or nothing. */
export interface TextVariant {
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

  method(): TextVariant {
    const tag = METHODS.get(this.#head.method);
    return tag === undefined ? { tag: 'other', val: this.#head.method } : { tag };
  }

  pathWithQuery(): string {
    return this.#head.pathWithQuery;
  }

  scheme(): TextVariant {
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
