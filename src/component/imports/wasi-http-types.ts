import type { Border } from '../guest/border.ts';
import { FutureTrailers, IncomingBody, OutgoingBody } from './wasi-http-bodies.ts';
import { Fields } from './wasi-http-fields.ts';
import { FutureIncomingResponse, IncomingRequest, IncomingResponse } from './wasi-http-incoming.ts';
import { OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam } from './wasi-http-outgoing.ts';
import type { IoError } from './wasi-io.ts';

/** `wasi:http/types` 0.2 (github.com/WebAssembly/wasi-http), inside a component's thread. */

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
