import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { requestsPerSecond, type Sample, startBare, startServer, thousands } from '../load.ts';
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
  const answer = await fetch(endpoint, { headers });
  const bareTcp = await startBare({ headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) });
  const bareUnix = await startBare(await post(socketPath), join(folder, 'bare.sock'));
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

function post(socketPath: string): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: '/v1/credentials', method: 'POST', headers: HEADERS }, (response) => {
      const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const);
      buffer(response).then((body) => resolve({ headers, body }), reject);
    });
    outgoing.on('error', reject);
    outgoing.end(BODY);
  });
}
