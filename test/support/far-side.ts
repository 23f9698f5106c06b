import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createRawServer, type Server as RawServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { TestCertificate } from './certificates.ts';

/** A request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly url: string;
  /** Names as they were written. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly trailers: readonly (readonly [string, string])[];
}

/** A server on loopback that keeps what arrives. */
export interface FarSide {
  readonly port: number;
  readonly arrived: Arrived[];
  /** How many connections were made to it. */
  readonly connections: number;
  /** How it answers, once a request is there as a whole. Default: 200 and `hello`. */
  answer(request: Arrived, response: ServerResponse): void;
}

export async function startFarSide(
  options: { certificate?: TestCertificate | undefined; host?: string; port?: number } = {},
): Promise<FarSide> {
  const { certificate, host = '127.0.0.1', port = 0 } = options;
  const arrived: Arrived[] = [];
  let connections = 0;
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const whole = toArrived(request, Buffer.concat(chunks));
      arrived.push(whole);
      farSide.answer(whole, response);
    });
  };
  const server: Server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener);
  server.on('connection', () => {
    connections += 1;
  });
  const farSide: FarSide = {
    port: await listening(server, host, port),
    arrived,
    get connections() {
      return connections;
    },
    answer: (_, response) => void response.end('hello'),
  };
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return farSide;
}

export interface RawFarSide {
  readonly port: number;
  /** Each byte that arrived, on all connections, as Latin-1. */
  readonly received: string;
  readonly connections: number;
  /** Resolves once something has arrived. */
  readonly asked: Promise<void>;
  /** Resolves once the other end of a connection is gone. */
  readonly closed: Promise<void>;
}

/**
 * A server on loopback that says what a test says, whatever it is asked.
 * @param talk is called once `until` has arrived, the end of a head where nothing else is said
 */
export async function startRawFarSide(talk: (socket: Socket) => void, until = '\r\n\r\n'): Promise<RawFarSide> {
  const open = new Set<Socket>();
  let received = '';
  let connections = 0;
  let onClosed = (): void => {};
  let onAsked = (): void => {};
  const asked = new Promise<void>((resolve) => {
    onAsked = resolve;
  });
  const closed = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  const server = createRawServer((socket) => {
    let isAsked = false;
    connections += 1;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', onClosed);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      onAsked();
      if (isAsked || !received.includes(until)) return;
      isAsked = true;
      talk(socket);
    });
  });
  const port = await listening(server, '127.0.0.1', 0);
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return {
    port,
    asked,
    closed,
    get received() {
      return received;
    },
    get connections() {
      return connections;
    },
  };
}

async function listening(server: RawServer, host: string, port: number): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function toArrived(request: IncomingMessage, body: Buffer): Arrived {
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    headers: pairs(request.rawHeaders),
    body: body.toString('utf8'),
    trailers: pairs(request.rawTrailers),
  };
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : []));
}
