import { createServer, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';

/** One request as it arrived. */
export interface ScriptedRequest {
  readonly method: string;
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Resolves when the client has gone away. */
  readonly closed: Promise<void>;
}

/** What the server does with one request. */
export type ScriptedAnswer =
  | { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  | 'hang'
  /** Cuts the connection without a byte of an answer. */
  | 'reset'
  /** Sends something that is not HTTP. */
  | 'no http'
  /** Begins a good answer and cuts the connection within it. */
  | 'reset within the body'
  /** Begins a good answer and falls silent within it. */
  | 'hang within the body'
  /** Sends a body that has no end. */
  | 'endless body';

/** What a good answer of the target looks like. */
export interface GoodAnswer {
  readonly contentType: string;
  readonly body: string;
}

/** A target that answers whatever a test says, over HTTP on loopback. */
export interface ScriptedUpstream {
  readonly url: string;
  readonly requests: Arrivals<ScriptedRequest>;
  onRequest(request: ScriptedRequest): ScriptedAnswer;
}

export async function startScriptedUpstream(good: GoodAnswer): Promise<ScriptedUpstream> {
  const upstream: ScriptedUpstream = { url: '', requests: createArrivals(), onRequest: () => 'hang' };
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request: ScriptedRequest = {
        method: incoming.method ?? '',
        url: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        closed: new Promise((resolve) => response.on('close', () => resolve())),
      };
      upstream.requests.push(request);
      answer(response, upstream.onRequest(request), good);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return Object.assign(upstream, { url: `http://127.0.0.1:${address.port}` });
}

function answer(response: ServerResponse, script: ScriptedAnswer, good: GoodAnswer): void {
  response.on('error', () => {});
  const headers = { 'Content-Type': good.contentType };
  const beginning = good.body.slice(0, good.body.length / 2);
  switch (script) {
    case 'hang':
      return;
    case 'reset':
      response.destroy();
      return;
    case 'no http':
      response.socket?.end('220 mail.example.org ESMTP\r\n');
      return;
    case 'reset within the body':
      response.writeHead(200, headers);
      response.write(beginning, () => response.destroy());
      return;
    case 'hang within the body':
      response.writeHead(200, headers).write(beginning);
      return;
    case 'endless body':
      response.writeHead(200, headers);
      pour(response);
      return;
    default:
      response.writeHead(script.status, { ...headers, ...script.headers }).end(script.body);
  }
}

const BUCKET = Buffer.alloc(64 * 1024, ' ');

function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write(BUCKET));
  if (!response.destroyed) response.once('drain', () => pour(response));
}
