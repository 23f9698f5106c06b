import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadDelegatedIdentityService } from '../../src/identity/delegated-identity/api.ts';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';
import { tempFolder } from '../support/temp.ts';

/** The `Content-Type` and status with which each gRPC answer begins. */
export const GRPC_HEADERS = { ':status': 200, 'content-type': 'application/grpc' };

/** An agent in HTTP/2 frames, without a gRPC library: it can do what no library would. */
export interface RawAgent {
  readonly socketPath: string;
  /** Every connection that was made. */
  readonly sessions: Arrivals<ServerHttp2Session>;
  /** Every call, once all of its request has arrived. */
  readonly calls: Arrivals<ServerHttp2Stream>;
  /** What becomes of a call; nothing where nothing else is said. */
  onCall(stream: ServerHttp2Stream): void;
}

export async function startRawAgent(socketPath?: string): Promise<RawAgent> {
  const agent: RawAgent = {
    socketPath: socketPath ?? join(await tempFolder(), 'admin.sock'),
    sessions: createArrivals(),
    calls: createArrivals(),
    onCall: () => {},
  };
  const server: Http2Server = createServer();
  server.on('session', (session) => {
    session.on('error', () => {});
    agent.sessions.push(session);
  });
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    stream.resume();
    stream.on('end', () => {
      agent.calls.push(stream);
      agent.onCall(stream);
    });
  });
  await new Promise<void>((resolve) => server.listen(agent.socketPath, resolve));
  onTestFinished(() => {
    server.close();
    for (const session of agent.sessions.all) session.destroy();
  });
  return agent;
}

/** A gRPC message: not compressed, its length, its bytes. */
export function frame(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A FetchJWTSVIDs answer in bytes. */
export function fetchAnswer(
  ...svids: readonly { token: string; id: { trust_domain: string; path: string } }[]
): Buffer {
  return loadDelegatedIdentityService().FetchJWTSVIDs.responseSerialize({ svids });
}

/** Answers as a server in good order does: headers, the data, `grpc-status: 0` in trailers. */
export function answer(stream: ServerHttp2Stream, data: Uint8Array): void {
  stream.respond(GRPC_HEADERS, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(data);
}
