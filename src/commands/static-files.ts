import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SvidxError } from '../base/errors.ts';
import { systemErrorCode } from '../config/read-file.ts';

/**
 * The file below a folder that a web server, or an object store, answers with at this path of a URL.
 * @throws SvidxError `config_invalid` when no file can have that path
 */
export function staticFilePath(folder: string, urlPath: string): string {
  const segments = urlPath.slice(1).split('/').map(decodeSegment);
  if (segments.some((name) => name === undefined || /^\.{0,2}$|[/\\\0]/.test(name))) {
    throw new SvidxError('config_invalid', `no file can be written for ${urlPath}`);
  }
  return join(folder, ...segments.map(String));
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/**
 * Writes a file that anybody may read, with its folders. Whoever reads it at any moment sees the old content or the new one,
 * whole; a file that holds this content already is left alone, so that its time says when it changed.
 * @returns whether the file was written
 * @throws SvidxError `usage_invalid` when it cannot be
 */
export async function writeStaticFile(file: string, content: Buffer): Promise<boolean> {
  try {
    const found = await readFile(file).catch(() => undefined);
    if (found?.equals(content)) return false;
    await mkdir(dirname(file), { recursive: true });
    await replaceFile(file, content);
    return true;
  } catch (error) {
    throw new SvidxError('usage_invalid', `--out: ${file}: cannot be written (${systemErrorCode(error)})`, {
      cause: error,
    });
  }
}

async function replaceFile(file: string, content: Buffer): Promise<void> {
  const staged = join(dirname(file), `.svidx-${randomBytes(6).toString('hex')}`);
  try {
    const handle = await open(staged, 'wx', 0o644);
    try {
      await handle.writeFile(content);
      // Before the new name: else a machine that loses power may have the name without the content.
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(staged, file);
  } catch (error) {
    await rm(staged, { force: true });
    throw error;
  }
}
