import { join } from 'node:path';
import { type MetadataValue, Server, ServerCredentials, type ServerWritableStream, type status } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { loadWorkloadApiService } from '../../src/identity/workload-contract.ts';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';
import { tempFolder } from '../support/temp.ts';

/** One FetchJWTBundles stream that was opened. */
export interface WorkloadStream {
  readonly metadata: Readonly<Record<string, readonly MetadataValue[]>>;
  /** Sends a complete state: from trust domain to JWK Set. */
  send(bundles: Readonly<Record<string, string>>): void;
  sendBytes(bytes: Uint8Array): void;
  fail(code: status, message: string): void;
  /** Resolves when the client cancels. */
  readonly cancelled: Promise<void>;
}

/** A SPIFFE Workload API that speaks the contract and does with it whatever a test says. */
export interface ScriptedWorkloadApi {
  /** Its address as gRPC writes it. */
  readonly target: string;
  readonly streams: Arrivals<WorkloadStream>;
  onStream(stream: WorkloadStream): void;
  stop(): Promise<void>;
  /** Starts a new server at the same address. */
  start(): Promise<void>;
}

/** @param options.at an IP address for a TCP endpoint at a port that the system picks; else it is a unix socket */
export async function startScriptedWorkloadApi(
  options: { at?: '127.0.0.1' | '[::1]'; serve?: 'nothing' } = {},
): Promise<ScriptedWorkloadApi> {
  const { FetchJWTBundles } = loadWorkloadApiService();
  let address = options.at === undefined ? `unix:${join(await tempFolder(), 'api.sock')}` : `${options.at}:0`;
  let server: Server | undefined;
  const api = {
    target: '',
    streams: createArrivals<WorkloadStream>(),
    onStream: (_: WorkloadStream): void => {},
    async start() {
      server = new Server();
      if (options.serve !== 'nothing') {
        // Responses leave as bytes made here, so that they need not be what the contract says.
        server.addService(
          { FetchJWTBundles: { ...FetchJWTBundles, responseSerialize: (bytes: Buffer) => bytes } },
          { FetchJWTBundles: serve },
        );
      }
      const port = await bind(server, address);
      if (options.at !== undefined) address = `${options.at}:${port}`;
      const scheme = { '127.0.0.1': 'ipv4:', '[::1]': 'ipv6:', unix: '' }[options.at ?? 'unix'];
      api.target = scheme + address;
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

  function serve(call: ServerWritableStream<object, Buffer>): void {
    const names = Object.keys(call.metadata.getMap());
    const stream: WorkloadStream = {
      metadata: Object.fromEntries(names.map((name) => [name, call.metadata.get(name)])),
      send(bundles) {
        const bytes = Object.entries(bundles).map(([key, jwkSet]) => [key, Buffer.from(jwkSet)]);
        call.write(FetchJWTBundles.responseSerialize({ bundles: Object.fromEntries(bytes) }));
      },
      sendBytes: (bytes) => void call.write(Buffer.from(bytes)),
      fail: (code, details) => void call.emit('error', { code, details }),
      cancelled: new Promise((resolve) => call.on('cancelled', () => resolve())),
    };
    api.streams.push(stream);
    api.onStream(stream);
  }

  await api.start();
  onTestFinished(api.stop);
  return api;
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}
