import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempFolder } from '../support/temp.ts';

/** A unix socket that passes everything on to another one, until a test says otherwise. */
export interface UnixProxy {
  readonly socketPath: string;
  /** How many connections were made to it. */
  readonly connections: number;
  /** From now on nothing gets through the connections there are, though nobody is told: they are half-open. */
  freeze(): void;
}

export async function startUnixProxy(target: string): Promise<UnixProxy> {
  const socketPath = join(await tempFolder(), 'proxy.sock');
  const sockets: Socket[] = [];
  const server = createServer((inner) => {
    const outer = createConnection(target);
    for (const socket of [inner, outer]) {
      sockets.push(socket);
      socket.on('error', () => {});
    }
    inner.pipe(outer).pipe(inner);
  }).listen(socketPath);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    socketPath,
    get connections() {
      return sockets.length / 2;
    },
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}
