import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { requestsPerSecond, startServer, thousands } from '../load.ts';
import type { Row } from '../row.ts';

const BODY = JSON.stringify({ component: 'c0', grant: 'models' });
const HEADERS = { 'content-type': 'application/json' };

/** The credentials endpoint of the private socket, from the cache, against `node:http` sending the same bytes there. */
export async function cachedCredentials(): Promise<Row[]> {
  const service = await startServer('service');
  const folder = await mkdtemp(join(tmpdir(), 'svidx-bench-'));
  const socketPath = service.ready['socket'] ?? '';
  const bytes = await post(socketPath);
  const bare = await startServer('bare', bytes.toString('base64'), join(folder, 'bare.sock'));
  const common = { url: 'http://localhost/v1/credentials', method: 'POST' as const, headers: HEADERS, body: BODY };
  const [ours = 0, limit = 0] = await requestsPerSecond([
    { ...common, socketPath },
    { ...common, socketPath: bare.ready['url'] ?? '' },
  ]);
  await service.stop();
  await bare.stop();
  await rm(folder, { recursive: true, force: true });
  return [
    {
      what: 'cached credential endpoint, requests/s on one core',
      measured: thousands(ours),
      against: `bare node:http ${thousands(limit)}`,
      ratio: ours / limit,
      target: '>= 0.6',
      met: ours / limit >= 0.6,
    },
  ];
}

function post(socketPath: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: '/v1/credentials', method: 'POST', headers: HEADERS }, (response) => {
      buffer(response).then(resolve, reject);
    });
    outgoing.on('error', reject);
    outgoing.end(BODY);
  });
}
