import { once } from 'node:events';
import { lstat, mkdtemp, open, rename, rm, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { SvidxError } from '../../base/errors.ts';
import { removeAbandonedFolders } from '../../config/abandoned-folders.ts';
import { systemErrorCode } from '../../config/read-file.ts';

/** statfs(2), TMPFS_MAGIC. */
const TMPFS = 0x01021994;

/** POSIX shared memory, which Linux has on a tmpfs (shm_overview(7)). */
const SHARED_MEMORY = '/dev/shm';

/** The socket that says that whoever made a folder still lives. No grant has this name. */
const SOCKET_NAME = '.alive';

const FOLDER_PREFIX = 'svidx-exec-';

/** A folder in memory that only this user can enter, for secrets that programs read from files. */
export interface PrivateFolder {
  /**
   * Writes a file that only this user can read (0600), or replaces it in one step. No line end is added: some SDKs send
   * what they read as it is.
   * @param name of letters, digits and . _ -, and not of dots alone
   * @returns its path
   */
  write(name: string, text: string): Promise<string>;
  /** Removes it with all that is in it. May be called again. */
  remove(): Promise<void>;
}

/**
 * Makes a folder (0700) on a tmpfs: what is written there is gone with the power, and on no disk but for swap.
 * Those that a process left behind which was killed are removed on this occasion.
 * @param runtimeFolder `XDG_RUNTIME_DIR` (XDG Base Directory Specification); `/dev/shm` where it is not set
 * @throws SvidxError `config_invalid` where that is not a tmpfs
 */
export async function makePrivateFolder(runtimeFolder: string | undefined, clock: Clock): Promise<PrivateFolder> {
  const where = runtimeFolder || SHARED_MEMORY;
  const { path, close } = await makeOnTmpfs(where).catch((error: unknown) => {
    throw error instanceof SvidxError
      ? error
      : refused(where, `cannot be written to (${systemErrorCode(error)})`, error);
  });
  const { uid } = await lstat(path);
  await removeAbandonedFolders({ parent: where, prefix: FOLDER_PREFIX, socketName: SOCKET_NAME, uid, clock });
  return {
    async write(name, text) {
      const target = join(path, name);
      const staged = `${target}~`;
      const file = await open(staged, 'w', 0o600);
      try {
        await file.writeFile(text);
      } finally {
        await file.close();
      }
      await rename(staged, target);
      return target;
    },
    async remove() {
      await rm(path, { recursive: true, force: true });
      close();
    },
  };
}

async function makeOnTmpfs(where: string): Promise<{ path: string; close(): void }> {
  if ((await statfs(where)).type !== TMPFS)
    throw refused(where, 'is not on a tmpfs, so tokens would be written to a disk');
  const path = await mkdtemp(join(where, FOLDER_PREFIX));
  try {
    return { path, close: await listenWhileAlive(join(path, SOCKET_NAME)) };
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Listens for as long as this process lives, and keeps it from nothing.
 * @returns the function that ends it
 */
async function listenWhileAlive(path: string): Promise<() => void> {
  const server = createServer((connection) => connection.destroy());
  server.listen(path);
  await once(server, 'listening');
  server.unref();
  return () => void server.close();
}

function refused(where: string, problem: string, cause?: unknown): SvidxError {
  return new SvidxError(
    'config_invalid',
    `${where} ${problem}: XDG_RUNTIME_DIR, or ${SHARED_MEMORY} where that is not set, must be a folder on a tmpfs`,
    { cause },
  );
}
