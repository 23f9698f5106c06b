import type { Logger } from '../../base/logger.ts';
import type { WorkloadClient } from '../../http/workload-client.ts';
import type { EnvironmentProvider } from './environment.ts';

export interface WorkloadApiOptions {
  readonly client: WorkloadClient;
  readonly component: string;
  readonly logger: Logger;
}

/** The SPIFFE Workload API, for any SPIFFE library (SPIFFE Workload Endpoint section 4). */
export function workloadApiProvider({ client, component, logger }: WorkloadApiOptions): EnvironmentProvider {
  return {
    name: 'the Workload API',
    async open() {
      const { endpoint, closed, close } = await client.open({ component });
      let isWanted = true;
      closed.then(() => {
        if (isWanted)
          logger.warn({ event: 'exec.service_gone' }, 'the service has ended, and the Workload API with it');
      });
      return {
        env: { SPIFFE_ENDPOINT_SOCKET: endpoint },
        async close() {
          isWanted = false;
          close();
        },
      };
    },
  };
}
