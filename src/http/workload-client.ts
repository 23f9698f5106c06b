import { z } from 'zod';
import type { Caller } from '../policy/evaluate.ts';
import { WORKLOAD_API_PATH, type WorkloadApiFields } from './broker-wire.ts';
import { createSocketClient } from './socket-client.ts';

const openAnswer = z.object({ endpoint: z.string().regex(/^unix:\/\/\/./) }) satisfies z.ZodType<WorkloadApiFields>;

/** A socket on which one component has the SPIFFE Workload API, opened by a service elsewhere on this machine. */
export interface WorkloadClientSocket {
  /** As `SPIFFE_ENDPOINT_SOCKET` has it. */
  readonly endpoint: string;
  /** Resolves once it is gone, also where the service has ended. */
  readonly closed: Promise<void>;
  /** Lets go of it. May be called again. */
  close(): void;
}

/** Opens such sockets. */
export interface WorkloadClient {
  /** @throws SvidxError `policy_denied`, `service_unreachable` */
  open(caller: Caller): Promise<WorkloadClientSocket>;
}

export function createWorkloadClient(brokerSocket: string): WorkloadClient {
  const client = createSocketClient(brokerSocket);
  return {
    async open({ component, digest }) {
      const { answer, ended, release } = await client.hold(WORKLOAD_API_PATH, { component, digest }, openAnswer);
      return { endpoint: answer.endpoint, closed: ended, close: release };
    },
  };
}
