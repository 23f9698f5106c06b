/** The part of WASI that this component uses, as TypeScript sees it. The contracts themselves come with `jco`. */

declare module 'wasi:config/store@0.2.0-rc.1' {
  /** Throws an error whose `payload` is `{ tag: 'upstream' | 'io', val: string }`. */
  export function get(key: string): string | undefined;
}

declare module 'wasi:io/poll@0.2.12' {
  export class Pollable {
    block(): void;
    [Symbol.dispose](): void;
  }
}

declare module 'wasi:io/streams@0.2.12' {
  export class InputStream {
    /** Throws an error whose `payload` is `{ tag: 'closed' }` at the end, or `{ tag: 'last-operation-failed' }`. */
    blockingRead(length: bigint): Uint8Array;
    [Symbol.dispose](): void;
  }
  export class OutputStream {
    /** At most 4096 bytes at a time. */
    blockingWriteAndFlush(contents: Uint8Array): void;
    [Symbol.dispose](): void;
  }
}

declare module 'wasi:http/types@0.2.12' {
  import type { Pollable } from 'wasi:io/poll@0.2.12';
  import type { InputStream, OutputStream } from 'wasi:io/streams@0.2.12';

  export interface Variant {
    tag: string;
    val?: unknown;
  }
  export type Result<T, E> = { tag: 'ok'; val: T } | { tag: 'err'; val: E };

  export class Fields {
    static fromList(entries: [string, Uint8Array][]): Fields;
    get(name: string): Uint8Array[];
    [Symbol.dispose](): void;
  }
  export class IncomingRequest {
    method(): Variant;
    pathWithQuery(): string | undefined;
    consume(): IncomingBody;
  }
  export class OutgoingRequest {
    constructor(headers: Fields);
    body(): OutgoingBody;
    setMethod(method: Variant): void;
    setScheme(scheme: Variant | undefined): void;
    setAuthority(authority: string | undefined): void;
    setPathWithQuery(path: string | undefined): void;
  }
  export class IncomingResponse {
    status(): number;
    headers(): Fields;
    consume(): IncomingBody;
    [Symbol.dispose](): void;
  }
  export class IncomingBody {
    stream(): InputStream;
    [Symbol.dispose](): void;
  }
  export class OutgoingResponse {
    constructor(headers: Fields);
    setStatusCode(status: number): void;
    body(): OutgoingBody;
  }
  export class OutgoingBody {
    write(): OutputStream;
    static finish(body: OutgoingBody, trailers: Fields | undefined): void;
  }
  export class ResponseOutparam {
    static set(param: ResponseOutparam, response: Result<OutgoingResponse, Variant>): void;
    [Symbol.dispose](): void;
  }
  export class FutureIncomingResponse {
    subscribe(): Pollable;
    get(): Result<Result<IncomingResponse, Variant>, undefined> | undefined;
    [Symbol.dispose](): void;
  }
}

declare module 'wasi:http/outgoing-handler@0.2.12' {
  import type { FutureIncomingResponse, OutgoingRequest } from 'wasi:http/types@0.2.12';
  /** Throws an error whose `payload` is the error code of `wasi:http`. */
  export function handle(request: OutgoingRequest, options: undefined): FutureIncomingResponse;
}
