import { once } from 'node:events';
import { mkdir, rename, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { MIN_AGE_MS } from '../../src/config/abandoned-folders.ts';

/**
 * A private folder as a process leaves it behind that is killed: with a socket on which nobody listens any more, and files.
 * @returns its path
 */
export async function makeAbandoned(path: string, socketName: string, files: readonly string[]): Promise<string> {
  await mkdir(path, { mode: 0o700 });
  const server = createServer().listen(join(path, 'first'));
  await once(server, 'listening');
  // A server that closes removes its file, if it finds it.
  await rename(join(path, 'first'), join(path, socketName));
  server.close();
  await once(server, 'close');
  for (const name of files) await writeFile(join(path, name), 'a token', { mode: 0o600 });
  await makeOld(path);
  return path;
}

/** Lets a folder look as if nobody had been at it for a while. */
export async function makeOld(path: string): Promise<void> {
  const then = (Date.now() - MIN_AGE_MS) / 1000;
  await utimes(path, then, then);
}
