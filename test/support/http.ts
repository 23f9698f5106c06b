import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { type RequestOptions, request as requestTls } from 'node:https';
import { connect } from 'node:net';

/** Where a server listens: a URL, most often of 127.0.0.1, or `unix:/path`, as `Listener.url` has them. */
export type ServerUrl = string;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface HttpQuestion {
  readonly method?: string;
  /** Sent as it is: nothing is normalised, which `fetch` would do. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  /** How a server with TLS is asked: whom to trust, what to show, over which connections. */
  readonly tls?: RequestOptions;
}

/** One request, on a connection of its own where nothing else is said. */
export function ask(
  server: ServerUrl,
  { method = 'GET', path, headers = {}, body, tls }: HttpQuestion,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const options = { ...addressOf(server), method, path, headers, agent: false, ...tls };
    const outgoing = (tls === undefined ? request : requestTls)(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0 } = response;
        resolve({ status: statusCode, headers: response.headers, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Sends bytes as they are and gives everything that comes back until the server closes the connection. */
export function askRaw(server: ServerUrl, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const address = addressOf(server);
    const socket = 'socketPath' in address ? connect(address.socketPath) : connect(address.port, address.host);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.write(bytes);
  });
}

function addressOf(server: ServerUrl): { socketPath: string } | { host: string; port: number } {
  if (server.startsWith('unix:')) return { socketPath: server.slice('unix:'.length) };
  const { hostname, port } = new URL(server);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
