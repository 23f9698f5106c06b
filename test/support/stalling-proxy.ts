import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempFolder } from './temp.ts';

/** Between a client and a server on a unix socket: it can make connections half-open. */
export interface StallingProxy {
  readonly socketPath: string;
  /** How many connections clients hold open. */
  readonly open: number;
  /** Nothing passes any more on the connections that are open now, and neither side is told. New ones work. */
  stall(): void;
}

export async function startStallingProxy(upstreamPath: string): Promise<StallingProxy> {
  const pairs = new Map<Socket, Socket>();
  const socketPath = join(await tempFolder(), 'proxy.sock');
  const server = createServer((client) => {
    const upstream = connect(upstreamPath);
    pairs.set(client, upstream);
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.on('close', () => {
      pairs.delete(client);
      upstream.destroy();
    });
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  onTestFinished(() => {
    server.close();
    for (const client of pairs.keys()) client.destroy();
  });
  return {
    socketPath,
    get open() {
      return pairs.size;
    },
    stall() {
      for (const [client, upstream] of pairs) {
        client.unpipe(upstream);
        upstream.unpipe(client);
        // What the client still sends is swallowed.
        client.resume();
      }
    },
  };
}
