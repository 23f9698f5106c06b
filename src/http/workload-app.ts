import type { RequestListener } from 'node:http';
import { z } from 'zod';
import type { Logger } from '../base/logger.ts';
import type { Caller } from '../policy/evaluate.ts';
import { WORKLOAD_API_PATH, type WorkloadApiFields } from './broker-wire.ts';
import { callerFields, readJsonRequest } from './json-request.ts';
import { postRoute } from './post-route.ts';

export interface WorkloadAppOptions {
  readonly sockets: {
    /** @throws SvidxError `policy_denied` */
    open(caller: Caller): Promise<{
      readonly endpoint: string;
      readonly closed: Promise<void>;
      close(): Promise<void>;
    }>;
  };
  readonly logger: Logger;
}

const openRequest = z.strictObject(callerFields);

/**
 * A part of the private socket: `POST /v1/workload-api` `{component}` opens a socket on which that component has the SPIFFE
 * Workload API, and answers one line of JSON, `{endpoint}`. The answer goes on for as long as the socket is wanted.
 *
 * So the socket lives exactly as long as the connection that asked for it. A lease that is renewed would outlive a client
 * that was killed, and end under one that is slow; a connection is closed by the kernel, whatever becomes of its owner.
 * @param next answers everything else
 */
export function createWorkloadApp({ sockets, logger }: WorkloadAppOptions, next: RequestListener): RequestListener {
  return postRoute(
    WORKLOAD_API_PATH,
    logger,
    async (request, response) => {
      const gone = new Promise<void>((resolve) => response.once('close', resolve));
      const socket = await sockets.open(await readJsonRequest(openRequest, request));
      // Also where the client has gone in the meantime.
      gone.then(socket.close).catch((error: unknown) => logger.error({ error }, 'a socket could not be removed'));
      socket.closed.then(() => response.end());
      response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
      const { endpoint } = socket;
      response.write(`${JSON.stringify({ endpoint } satisfies WorkloadApiFields)}\n`);
    },
    next,
  );
}
