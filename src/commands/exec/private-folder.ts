import { mkdtemp, open, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { SvidxError } from '../../base/errors.ts';
import { systemErrorCode } from '../../config/read-file.ts';

/** statfs(2), TMPFS_MAGIC. */
const TMPFS = 0x01021994;

/** POSIX shared memory, which Linux has on a tmpfs (shm_overview(7)). */
const SHARED_MEMORY = '/dev/shm';

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
 * @param runtimeFolder `XDG_RUNTIME_DIR` (XDG Base Directory Specification); `/dev/shm` where it is not set
 * @throws SvidxError `config_invalid` where that is not a tmpfs
 */
export async function makePrivateFolder(runtimeFolder: string | undefined): Promise<PrivateFolder> {
  const where = runtimeFolder || SHARED_MEMORY;
  const path = await makeOnTmpfs(where).catch((error: unknown) => {
    throw error instanceof SvidxError
      ? error
      : refused(where, `cannot be written to (${systemErrorCode(error)})`, error);
  });
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
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

async function makeOnTmpfs(where: string): Promise<string> {
  if ((await statfs(where)).type !== TMPFS)
    throw refused(where, 'is not on a tmpfs, so tokens would be written to a disk');
  return mkdtemp(join(where, 'svidx-exec-'));
}

function refused(where: string, problem: string, cause?: unknown): SvidxError {
  return new SvidxError(
    'config_invalid',
    `${where} ${problem}: XDG_RUNTIME_DIR, or ${SHARED_MEMORY} where that is not set, must be a folder on a tmpfs`,
    { cause },
  );
}
