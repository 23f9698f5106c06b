import { Fields, type IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.12';

/** `wasi:http/incoming-handler`: the same short answer to every request, as `examples/hello-http/` gives it. */
export const incomingHandler = {
  handle(_request: IncomingRequest, responseOut: ResponseOutparam): void {
    const encoder = new TextEncoder();
    const response = new OutgoingResponse(Fields.fromList([['content-type', encoder.encode('text/plain')]]));
    const body = response.body();
    ResponseOutparam.set(responseOut, { tag: 'ok', val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(encoder.encode('Hello from a component.\n'));
    // A body that still has a stream cannot be finished.
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
  },
};
