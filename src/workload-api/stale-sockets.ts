import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { removeAbandonedFolders } from '../config/abandoned-folders.ts';
import { FOLDER_PREFIX, SOCKET_NAME } from './sockets.ts';

export interface StaleSocketsOptions {
  /** The path of the private socket, which is there already and our own. Folders for sockets are made beside it. */
  readonly privateSocket: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Removes the sockets, with their folders, that a service left behind which was killed. Those of one that lives stay. */
export async function removeStaleSockets({ privateSocket, clock, logger }: StaleSocketsOptions): Promise<void> {
  const { uid } = await lstat(privateSocket);
  const parent = dirname(privateSocket);
  const options = { parent, prefix: FOLDER_PREFIX, socketName: SOCKET_NAME, uid, clock };
  const folders = await removeAbandonedFolders(options);
  if (folders.length > 0) logger.info({ event: 'workload_api.tidied', folders }, 'removed sockets left behind');
}
