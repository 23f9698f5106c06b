import type { Guest } from '../guest/guest.ts';
import type { RequestTimeouts } from '../http-messages.ts';
import { FutureIncomingResponse, IncomingResponse, type Settled } from './wasi-http-incoming.ts';
import type { OutgoingRequest, RequestOptions } from './wasi-http-outgoing.ts';

/** `wasi:http/outgoing-handler` 0.2: hands requests to the host, which decides whether they may leave. */
export function createWasiHttpHandler({ border, state, nextId }: Guest): Readonly<Record<string, unknown>> {
  return {
    handle(request: OutgoingRequest, options: RequestOptions | undefined): FutureIncomingResponse {
      // What has come in for others is taken, and counted, before there is more of it.
      border.look();
      const head = request.head();
      const id = nextId();
      const { outgoingBody } = request;
      const pipe = outgoingBody === undefined ? undefined : nextId();
      border.send({ type: 'request', id, request: head, timeouts: timeoutsOf(options), body: pipe });
      if (pipe !== undefined) outgoingBody?.attach(state().pipes.writer(pipe));

      let settled: Settled | undefined;
      const settle = (): Settled | undefined => {
        const arrived = state().response(id);
        if (settled !== undefined || arrived === undefined) return settled;
        settled =
          'error' in arrived
            ? { tag: 'err', val: arrived.error }
            : { tag: 'ok', val: new IncomingResponse(border, arrived.response, arrived.body) };
        return settled;
      };
      return new FutureIncomingResponse(border, settle, () => border.send({ type: 'request-dropped', id }));
    },
  };
}

function timeoutsOf(options: RequestOptions | undefined): RequestTimeouts {
  return {
    connectMs: toMs(options?.connectTimeout()),
    firstByteMs: toMs(options?.firstByteTimeout()),
    betweenBytesMs: toMs(options?.betweenBytesTimeout()),
  };
}

/** Rounded up: a time that was asked for never becomes none. */
function toMs(nanoseconds: bigint | undefined): number | undefined {
  return nanoseconds === undefined ? undefined : Math.min(Math.ceil(Number(nanoseconds) / 1e6), 2 ** 31 - 1);
}
