import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempFolder } from './temp.ts';

/** A unix socket that takes connections and says what it is told to, by default nothing. */
export async function talkingSocket(talk: (socket: Socket) => void = () => {}): Promise<string> {
  const path = join(await tempFolder(), 's.sock');
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    talk(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return path;
}

/** A socket file that nobody listens on any more, as one who was killed leaves it behind. */
export async function staleSocket(): Promise<string> {
  const folder = await tempFolder();
  const server = createServer().listen(join(folder, 'first.sock'));
  await once(server, 'listening');
  // A server that closes removes its file, if it finds it.
  await rename(join(folder, 'first.sock'), join(folder, 'stale.sock'));
  server.close();
  await once(server, 'close');
  return join(folder, 'stale.sock');
}
