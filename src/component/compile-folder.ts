import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { systemErrorCode } from '../config/read-file.ts';
import type { TranslatedComponent } from './translate.ts';
import { decodeTranslated, encodeTranslated } from './translated-file.ts';

/** Translated components on disk, so that they need not be translated again after a restart. */
export interface CompileFolder {
  /**
   * What was stored under this key (64 hexadecimal digits), if it is there, whole, and written by this user alone. Never
   * throws: what cannot be used is passed over, with a line in the log.
   */
  load(key: string): Promise<TranslatedComponent | undefined>;
  /** Stores it, in one step for whoever reads; the files unused for longest go. Never throws. */
  store(key: string, component: TranslatedComponent): Promise<void>;
}

export interface CompileFolderOptions {
  /** Made (0700) where it does not exist. */
  readonly path: string;
  readonly logger: Pick<Logger, 'warn'>;
  /** How many bytes its files may have together; 1 GiB unless told. */
  readonly maxBytes?: number;
  /** How many files there may be; 200 unless told. */
  readonly maxFiles?: number;
}

const FILE_NAME = /^[0-9a-f]{64}\.svidxc$/;
const STAGED_NAME = /^[0-9a-f-]{36}\.staged$/;

/** A staged file of this age (milliseconds) was left behind by a process that ended in between. */
const ABANDONED_AFTER_MS = 3_600_000;

/** Who else may write: what is in these files is run. */
const GROUP_OR_OTHERS_WRITE = 0o022;
const GROUP_OR_OTHERS = 0o077;

/** Neither through a link, nor waiting for the other end of a pipe. */
const READ_PLAIN_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens a folder for translated components. Several processes may use it at the same time.
 * @throws SvidxError `config_invalid` where it is not a folder of this user that nobody else can enter
 */
export async function openCompileFolder(options: CompileFolderOptions): Promise<CompileFolder> {
  const { logger, maxBytes = 2 ** 30, maxFiles = 200 } = options;
  const folder = resolve(options.path);
  const user = await checkFolder(folder);

  const passedOver = (name: string, reason: string): undefined => {
    logger.warn({ event: 'component.cache_file_unusable', file: join(folder, name), reason }, 'translating again');
  };

  async function read(name: string, file: FileHandle): Promise<Buffer<ArrayBuffer> | undefined> {
    const found = await file.stat();
    if (!found.isFile()) return passedOver(name, 'is not a plain file');
    if (found.uid !== user) return passedOver(name, `belongs to the user ${found.uid}`);
    if (found.mode & GROUP_OR_OTHERS_WRITE) return passedOver(name, 'can be written by others');
    if (found.size > maxBytes) return passedOver(name, 'is larger than the folder may be');
    const now = new Date();
    // When it was last used: what is unused for longest goes first.
    await file.utimes(now, now);
    return file.readFile();
  }

  async function evict(): Promise<void> {
    const names = await readdir(folder);
    const now = Date.now();
    const files: { path: string; size: number; mtimeMs: number }[] = [];
    for (const name of names) {
      const path = join(folder, name);
      const found = await lstat(path).catch(() => undefined);
      if (found === undefined) continue;
      const { size, mtimeMs } = found;
      if (FILE_NAME.test(name)) files.push({ path, size, mtimeMs });
      else if (STAGED_NAME.test(name) && now - mtimeMs > ABANDONED_AFTER_MS) await rm(path, { force: true });
    }
    let bytes = 0;
    for (const [position, { path, size }] of files.toSorted((a, b) => b.mtimeMs - a.mtimeMs).entries()) {
      bytes += size;
      if (position >= maxFiles || bytes > maxBytes) await rm(path, { force: true });
    }
  }

  return {
    async load(key) {
      const name = `${key}.svidxc`;
      try {
        const file = await open(join(folder, name), READ_PLAIN_FILE);
        try {
          const bytes = await read(name, file);
          if (bytes === undefined) return undefined;
          return (await decodeTranslated(bytes, key)) ?? passedOver(name, 'is damaged, or of another key');
        } finally {
          await file.close();
        }
      } catch (error) {
        const code = systemErrorCode(error);
        return code === 'ENOENT' ? undefined : passedOver(name, code);
      }
    },
    async store(key, component) {
      const staged = join(folder, `${randomUUID()}.staged`);
      try {
        const bytes = await encodeTranslated(component, key);
        if (bytes.length > maxBytes) return;
        await writeNew(staged, bytes);
        await rename(staged, join(folder, `${key}.svidxc`));
        await evict();
      } catch (error) {
        await rm(staged, { force: true }).catch(() => {});
        const fields = { event: 'component.cache_not_written', folder, reason: systemErrorCode(error) };
        logger.warn(fields, 'the component will be translated again after a restart');
      }
    },
  };
}

/** @returns the user whose files are trusted: the one this process writes as */
async function checkFolder(folder: string): Promise<number> {
  const probe = join(folder, `${randomUUID()}.staged`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found = await lstat(folder);
    if (!found.isDirectory()) throw refused(folder, 'is not a folder (a link is none)');
    if (found.mode & GROUP_OR_OTHERS) throw refused(folder, 'can be entered by others (mode 0700 is expected)');
    const user = await writeNew(probe, Buffer.alloc(0));
    await rm(probe);
    if (found.uid !== user) throw refused(folder, `belongs to the user ${found.uid}, not to ${user}`);
    return user;
  } catch (error) {
    throw error instanceof SvidxError ? error : refused(folder, `cannot be used (${systemErrorCode(error)})`, error);
  }
}

/** @returns the user to whom the new file belongs */
async function writeNew(path: string, bytes: Buffer): Promise<number> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    return (await file.stat()).uid;
  } finally {
    await file.close();
  }
}

function refused(folder: string, problem: string, cause?: unknown): SvidxError {
  return new SvidxError('config_invalid', `the folder for compiled components, ${folder}, ${problem}`, { cause });
}
