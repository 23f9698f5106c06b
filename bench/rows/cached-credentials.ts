import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { requestsPerSecond, startServer, thousands } from '../load.ts';
import type { Row } from '../row.ts';

const BODY = JSON.stringify({ component: 'c0', grant: 'models' });
const HEADERS = { 'content-type': 'application/json' };

/**
 * Credentials from the cache, each against `node:http` sending the same bytes in the same place: at the endpoint that
 * AWS SDKs ask, which the target is about, and at the private socket, which reads a body for each request too.
 */
export async function cachedCredentials(): Promise<Row[]> {
  const service = await startServer('service');
  const folder = await mkdtemp(join(tmpdir(), 'svidx-bench-'));
  const { endpoint = '', secret = '', socket: socketPath = '' } = service.ready;
  const headers = { authorization: secret };
  const ofEndpoint = Buffer.from(await (await fetch(endpoint, { headers })).arrayBuffer());
  const ofSocket = await post(socketPath);
  const bareTcp = await startServer('bare', ofEndpoint.toString('base64'));
  const bareUnix = await startServer('bare', ofSocket.toString('base64'), join(folder, 'bare.sock'));
  const posted = { url: 'http://localhost/v1/credentials', method: 'POST' as const, headers: HEADERS, body: BODY };
  const [tcp = 0, tcpLimit = 0, unix = 0, unixLimit = 0] = await requestsPerSecond([
    { url: endpoint, headers },
    { url: bareTcp.ready['url'] ?? '', headers },
    { ...posted, socketPath },
    { ...posted, socketPath: bareUnix.ready['url'] ?? '' },
  ]);
  for (const server of [service, bareTcp, bareUnix]) await server.stop();
  await rm(folder, { recursive: true, force: true });
  return [
    row('cached credential endpoint, requests/s on one core', tcp, tcpLimit, 0.6),
    row('the same over the private socket, by POST', unix, unixLimit),
  ];
}

function row(what: string, ours: number, limit: number, target?: number): Row {
  const ratio = ours / limit;
  return {
    what,
    measured: thousands(ours),
    against: `bare node:http ${thousands(limit)}`,
    ratio,
    target: target === undefined ? '-' : `>= ${target}`,
    met: target === undefined || ratio >= target,
  };
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
