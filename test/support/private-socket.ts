import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { listenOnPrivateSocket } from '../../src/http/listener.ts';
import { tempFolder } from './temp.ts';

/** A private socket of the test's own, served by `listener`. */
export async function serveOnPrivateSocket(listener: RequestListener): Promise<{ path: string; url: string }> {
  const path = join(await tempFolder(), 'broker.sock');
  const server = await listenOnPrivateSocket(path, systemClock);
  onTestFinished(server.close);
  server.handle(listener);
  return { path, url: server.url };
}
