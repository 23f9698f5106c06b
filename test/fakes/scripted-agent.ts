import { join } from 'node:path';
import {
  type MetadataValue,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type status,
} from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { loadDelegatedIdentityService } from '../../src/identity/delegated-identity/api.ts';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';
import { tempFolder } from '../support/temp.ts';

/** A JWT-SVID as the wire carries it. */
export interface WireSvid {
  readonly token: string;
  readonly id: { readonly trust_domain: string; readonly path: string } | null;
  readonly hint?: string;
}

/** What the agent does with one FetchJWTSVIDs call. */
export type FetchAnswer =
  | { readonly svids: readonly WireSvid[] }
  /** A message of just these bytes, whatever they mean. */
  | { readonly bytes: Uint8Array }
  | { readonly code: status; readonly message: string }
  | 'hang';

/** One FetchJWTSVIDs call that arrived. */
export interface FetchCall {
  readonly request: unknown;
  readonly metadata: Readonly<Record<string, MetadataValue>>;
  /** Milliseconds since 1970. */
  readonly deadline: number;
  /** Resolves when the client cancels, or its deadline passes. */
  readonly cancelled: Promise<void>;
}

/** One bundle stream that was opened. */
export interface AgentStream {
  /** Sends a complete state: from trust domain to JWK Set, or to certificates in DER. */
  send(bundles: Readonly<Record<string, string | Buffer>>): void;
  sendBytes(bytes: Uint8Array): void;
  fail(code: status, message: string): void;
  /** Closes it in good order, which SPIRE never does. */
  end(): void;
  /** Resolves when the client cancels. */
  readonly cancelled: Promise<void>;
}

/** An agent's admin socket that speaks the contract and does with it whatever a test says. */
export interface ScriptedAgent {
  readonly socketPath: string;
  readonly fetches: Arrivals<FetchCall>;
  /** The streams of JWT bundles. */
  readonly streams: Arrivals<AgentStream>;
  readonly x509Streams: Arrivals<AgentStream>;
  onFetch(call: FetchCall): FetchAnswer | Promise<FetchAnswer>;
  onStream(stream: AgentStream): void;
  /** Ends the server as a dying agent does: connections are cut, the socket is gone. */
  stop(): Promise<void>;
  /** Starts a new server at the same path. */
  start(): Promise<void>;
}

/** @param options.serve `nothing` for a gRPC server without this service, as the agent's Workload API socket is one */
export async function startScriptedAgent(
  options: { socketPath?: string; serve?: 'nothing' } = {},
): Promise<ScriptedAgent> {
  const service = loadDelegatedIdentityService();
  let server: Server | undefined;

  const agent: ScriptedAgent = {
    socketPath: options.socketPath ?? join(await tempFolder(), 'admin.sock'),
    fetches: createArrivals(),
    streams: createArrivals(),
    x509Streams: createArrivals(),
    onFetch: () => 'hang',
    onStream: () => {},
    async start() {
      server = new Server();
      if (options.serve !== 'nothing') server.addService(definition, handlers);
      await bind(server, agent.socketPath);
    },
    async stop() {
      const stopping = server;
      server = undefined;
      if (stopping === undefined) return;
      await new Promise<void>((resolve) => {
        stopping.tryShutdown(() => resolve());
        stopping.forceShutdown();
      });
    },
  };

  // Responses leave as bytes made here, so that they need not be what the contract says.
  const definition = {
    FetchJWTSVIDs: { ...service.FetchJWTSVIDs, responseSerialize: (bytes: Buffer) => bytes },
    SubscribeToJWTBundles: { ...service.SubscribeToJWTBundles, responseSerialize: (bytes: Buffer) => bytes },
    SubscribeToX509Bundles: { ...service.SubscribeToX509Bundles, responseSerialize: (bytes: Buffer) => bytes },
  };
  const handlers = {
    FetchJWTSVIDs: fetch,
    SubscribeToJWTBundles: subscribe('SubscribeToJWTBundles', 'bundles', agent.streams),
    SubscribeToX509Bundles: subscribe('SubscribeToX509Bundles', 'ca_certificates', agent.x509Streams),
  };

  function fetch(call: ServerUnaryCall<object, Buffer>, callback: sendUnaryData<Buffer>): void {
    const deadline = call.getDeadline();
    const arrived: FetchCall = {
      request: call.request,
      metadata: call.metadata.getMap(),
      deadline: deadline instanceof Date ? deadline.getTime() : deadline,
      cancelled: new Promise((resolve) => call.on('cancelled', () => resolve())),
    };
    agent.fetches.push(arrived);
    void Promise.resolve(agent.onFetch(arrived)).then((answer) => {
      if (answer === 'hang') return;
      if ('code' in answer) callback({ code: answer.code, details: answer.message });
      else if ('bytes' in answer) callback(null, Buffer.from(answer.bytes));
      else callback(null, service.FetchJWTSVIDs.responseSerialize(answer));
    });
  }

  function subscribe(
    method: 'SubscribeToJWTBundles' | 'SubscribeToX509Bundles',
    field: string,
    streams: Arrivals<AgentStream>,
  ): (call: ServerWritableStream<object, Buffer>) => void {
    return (call) => {
      const stream: AgentStream = {
        send(bundles) {
          const bytes = Object.entries(bundles).map(([key, bundle]) => [key, Buffer.from(bundle)]);
          call.write(service[method].responseSerialize({ [field]: Object.fromEntries(bytes) }));
        },
        sendBytes: (bytes) => void call.write(Buffer.from(bytes)),
        fail: (code, message) => void call.emit('error', { code, details: message }),
        end: () => void call.end(),
        cancelled: new Promise((resolve) => call.on('cancelled', () => resolve())),
      };
      streams.push(stream);
      agent.onStream(stream);
    };
  }

  await agent.start();
  onTestFinished(agent.stop);
  return agent;
}

function bind(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
