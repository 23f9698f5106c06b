import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { onTestFinished } from 'vitest';
import type { TestCertificate } from './certificates.ts';

export interface HttpsServer {
  /** `https://localhost:PORT` */
  readonly url: string;
  readonly port: number;
  /** What it was asked for, in order. */
  readonly paths: readonly string[];
  /** Connections that were made. */
  readonly connections: number;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** An HTTPS server on loopback that answers however a test says. */
export async function startHttpsServer(certificate: TestCertificate): Promise<HttpsServer> {
  const paths: string[] = [];
  let connections = 0;
  const server = createServer(certificate, (request, response) => {
    paths.push(request.url ?? '');
    https.handle(request, response);
  }).listen(0, '127.0.0.1');
  server.on('secureConnection', () => {
    connections += 1;
  });
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const https: HttpsServer = {
    url: `https://localhost:${address.port}`,
    port: address.port,
    paths,
    get connections() {
      return connections;
    },
    handle: (_, response) => void response.writeHead(404).end(),
  };
  return https;
}
