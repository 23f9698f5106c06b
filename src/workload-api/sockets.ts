import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { createAudit } from '../broker/audit.ts';
import { permitted } from '../broker/permitted.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import { type Caller, evaluateComponent } from '../policy/evaluate.ts';
import { createJwtProfile, type JwtProfileOptions } from './jwt-profile.ts';
import { startWorkloadApiServer } from './server.ts';

export interface WorkloadSocketsOptions extends JwtProfileOptions {
  readonly bundles: JwtBundleSource;
  readonly logger: Logger;
  /** Where folders for sockets are made: the folder of the private socket. */
  readonly folder: string;
}

/** A socket on which one component has the SPIFFE Workload API. */
export interface WorkloadSocket {
  /** As `SPIFFE_ENDPOINT_SOCKET` has it: `unix:///path` (SPIFFE Workload Endpoint section 4). */
  readonly endpoint: string;
  /** Resolves once it is closed, whoever closed it. */
  readonly closed: Promise<void>;
  /** Ends its calls and removes it. May be called again. */
  close(): Promise<void>;
}

export interface WorkloadSockets {
  /** @throws SvidxError `policy_denied` for a component without a policy, `service_stopping` */
  open(caller: Caller): Promise<WorkloadSocket>;
  /** Closes all of them. */
  close(): Promise<void>;
}

/** Short, so that the path fits wherever the private socket's own does (its staged name is as long). */
export const FOLDER_PREFIX = '.svidx-';
export const SOCKET_NAME = 's';

/**
 * Opens sockets, each for one component and in a folder of its own, which only this user can enter (0700) and whose name
 * nobody can guess. The socket's own mode is 0600 before anybody is told of it.
 */
export function createWorkloadSockets(options: WorkloadSocketsOptions): WorkloadSockets {
  const audit = createAudit(options);
  const open = new Set<WorkloadSocket>();
  let stopping = false;

  async function start(caller: Caller): Promise<WorkloadSocket> {
    const folder = await mkdtemp(join(options.folder, FOLDER_PREFIX));
    const remove = () => rm(folder, { recursive: true, force: true });
    try {
      const socketPath = join(folder, SOCKET_NAME);
      const profile = createJwtProfile(options, caller);
      const server = await startWorkloadApiServer({ socketPath, profile, bundles: options.bundles });
      await chmod(socketPath, 0o600);
      let resolve = (): void => {};
      const closed = new Promise<void>((done) => {
        resolve = done;
      });
      let closing: Promise<void> | undefined;
      const socket: WorkloadSocket = {
        endpoint: `unix://${socketPath}`,
        closed,
        close() {
          closing ??= server
            .close()
            .then(remove)
            .finally(() => resolve());
          open.delete(socket);
          return closing;
        },
      };
      open.add(socket);
      return socket;
    } catch (error) {
      await remove();
      throw error;
    }
  }

  return {
    open: (caller) =>
      audit.record('workload_api.open', { component: caller.component }, async (fields) => {
        permitted(evaluateComponent(options.policies(), caller), caller, fields);
        const socket = await start(caller);
        if (!stopping) return socket;
        await socket.close();
        throw new SvidxError('service_stopping', 'the service is shutting down');
      }),
    async close() {
      stopping = true;
      await Promise.all([...open].map((socket) => socket.close()));
    },
  };
}
