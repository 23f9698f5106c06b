import type { Stats } from 'node:fs';
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { canConnect } from './socket-probe.ts';

export interface AbandonedFoldersOptions {
  /** The folder that they are in. */
  readonly parent: string;
  /** What comes before the six characters that mkdtemp(3) adds. */
  readonly prefix: string;
  /** The socket in each, on which its owner listens for as long as it lives. */
  readonly socketName: string;
  /** The numeric ID of the user whose they are. */
  readonly uid: number;
  readonly clock: Clock;
}

/** Whoever makes a folder listens in it within moments. Milliseconds. */
export const MIN_AGE_MS = 10_000;

const PROBE_LIMIT_MS = 1_000;

/**
 * Removes folders that processes left behind which were killed: of this user, private (0700), named as ours are, with
 * nothing but files and a socket on which nobody listens any more, or with nothing at all. The kernel ends what a process
 * listens on, however it dies, and in whatever container it was.
 *
 * Symbolic links are not followed, and what is not as expected is left alone.
 * @returns the paths of those that are gone
 */
export async function removeAbandonedFolders(options: AbandonedFoldersOptions): Promise<string[]> {
  const { parent, prefix } = options;
  const names = await readdir(parent).catch(() => []);
  const removed: string[] = [];
  for (const name of names) {
    if (!name.startsWith(prefix) || !/^[A-Za-z0-9]{6}$/.test(name.slice(prefix.length))) continue;
    // What another process removes meanwhile, or puts something into, is not ours to trouble about.
    if (await remove(join(parent, name), options).catch(() => false)) removed.push(join(parent, name));
  }
  return removed;
}

async function remove(folder: string, { uid, socketName, clock }: AbandonedFoldersOptions): Promise<boolean> {
  const found = await lstat(folder);
  if (!isPrivateFolder(found, uid) || clock.now() - found.mtimeMs < MIN_AGE_MS) return false;
  const entries = await readdir(folder, { withFileTypes: true });
  const isSocket = (name: string): boolean => name === socketName;
  if (!entries.every((entry) => (isSocket(entry.name) ? entry.isSocket() : entry.isFile()))) return false;
  const socket = entries.find(({ name }) => isSocket(name));
  // Files without the socket are of somebody who has another way of saying that it lives.
  if (socket === undefined && entries.length > 0) return false;
  // Only this says that nobody listens: one who is too busy, for example, says EAGAIN.
  const path = join(folder, socketName);
  if (socket !== undefined && (await canConnect(path, clock, PROBE_LIMIT_MS)) !== 'ECONNREFUSED') return false;
  for (const { name } of entries) await unlink(join(folder, name));
  await rmdir(folder);
  return true;
}

function isPrivateFolder(found: Stats, uid: number): boolean {
  return found.isDirectory() && found.uid === uid && (found.mode & 0o777) === 0o700;
}
