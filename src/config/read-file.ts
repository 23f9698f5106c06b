import { readFile } from 'node:fs/promises';
import { type ErrorCode, SvidxError } from '../base/errors.ts';

/**
 * Reads a file that the user named.
 * @param errorCode what it means that the file cannot be read
 * @param name how the error calls the file, such as `--bundles: FILE`; the path itself where nothing is said
 * @throws SvidxError with that code
 */
export async function readNamedFile(path: string, errorCode: ErrorCode, name = path): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new SvidxError(errorCode, `${name}: cannot be read (${systemErrorCode(error)})`, { cause: error });
  }
}

/**
 * Reads a text file that the user named. Bytes that are not UTF-8 are an error: replaced by a stand-in, two different
 * files would say the same.
 * @throws SvidxError with that code
 */
export async function readNamedText(path: string, errorCode: ErrorCode, name = path): Promise<string> {
  const bytes = await readNamedFile(path, errorCode, name);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new SvidxError(errorCode, `${name}: is not UTF-8 text`, { cause: error });
  }
}

/** `ENOENT`, `EACCES` and the like. */
export function systemErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
