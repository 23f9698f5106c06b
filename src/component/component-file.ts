import { stat } from 'node:fs/promises';
import { SvidxError } from '../base/errors.ts';
import { readSettled } from '../base/watched-value.ts';
import { readNamedFile } from '../config/read-file.ts';

/** What is larger is no component that can be compiled, and is not read at all. */
const MAX_FILE_BYTES = 128 * 1024 * 1024;

/** What changes whenever the file's content does: times, size and inode of what its name leads to. Never throws. */
export async function componentFileFingerprint(file: string): Promise<string> {
  const found = await stat(file, { bigint: true }).catch(() => undefined);
  return found === undefined ? 'none' : `${found.ctimeNs} ${found.mtimeNs} ${found.size} ${found.ino}`;
}

/**
 * Reads the file of a component, all of it as it was at one moment.
 * @throws SvidxError `config_invalid` where it cannot be read, or changes meanwhile
 */
export async function readComponentFile(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const settled = await readSettled(
    () => componentFileFingerprint(file),
    async () => {
      await refuseOddFile(file);
      return new Uint8Array(await readNamedFile(file, 'config_invalid'));
    },
  );
  if (settled !== undefined) return settled.value;
  throw new SvidxError('config_invalid', `${file}: changes faster than it can be read`);
}

/** Before it is opened: a pipe would keep its reader waiting, a large file would fill the memory. */
async function refuseOddFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isFile()) throw new SvidxError('config_invalid', `${file}: is not a file`);
  if (found.size > MAX_FILE_BYTES) {
    throw new SvidxError('config_invalid', `${file}: is larger than ${MAX_FILE_BYTES} bytes`);
  }
}
