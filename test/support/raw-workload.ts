import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { createWorkloadClient, type WorkloadClientSocket } from '../../src/http/workload-client.ts';
import { loadWorkloadApiService, type WorkloadApiService } from '../../src/identity/workload-contract.ts';
import { type Arrivals, createArrivals } from './arrivals.ts';

/** A gRPC client of the Workload API that sends what it is told and judges nothing. */
export interface RawWorkload {
  /** The answer, or the status. */
  call(method: keyof WorkloadApiService, request: object, headers?: readonly string[]): Promise<object>;
  /** Any method of any service, with bytes for a message. */
  callBytes(path: string, bytes: Uint8Array): Promise<object>;
  /** What arrives on the stream of bundles, from trust domain to JWK Set; the status that ends it comes last. */
  subscribe(headers?: readonly string[]): Arrivals<object> & { cancel(): void };
}

const GOOD = ['true'];

/** @param endpoint as `SPIFFE_ENDPOINT_SOCKET` has it */
export function createRawWorkload(endpoint: string): RawWorkload {
  const service = loadWorkloadApiService();
  const client = new Client(endpoint, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  onTestFinished(() => client.close());

  function metadata(values: readonly string[]): Metadata {
    const made = new Metadata();
    for (const value of values) made.add('workload.spiffe.io', value);
    return made;
  }

  function unary<Q>(
    path: string,
    serialize: (request: Q) => Buffer,
    deserialize: (bytes: Buffer) => object,
    request: Q,
    headers: readonly string[],
  ): Promise<object> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, serialize, deserialize, request, metadata(headers), {}, (error, answer) => {
        if (error !== null) resolve(statusOf(error));
        else if (answer === undefined) reject(new Error('neither an answer nor an error'));
        else resolve(answer);
      });
    });
  }

  return {
    call(method, request, headers = GOOD) {
      const { path, requestSerialize, responseDeserialize } = service[method];
      return unary(path, requestSerialize, responseDeserialize, request, headers);
    },
    callBytes: (path, bytes) =>
      unary(
        path,
        (sent: Uint8Array) => Buffer.from(sent),
        () => ({}),
        bytes,
        GOOD,
      ),
    subscribe(headers = GOOD) {
      const { path, requestSerialize, responseDeserialize } = service.FetchJWTBundles;
      const arrivals = createArrivals<object>();
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        {},
        metadata(headers),
        {},
      );
      call.on('data', (message: object) => arrivals.push(readBundles(message)));
      call.on('error', (error: ServiceError) => arrivals.push(statusOf(error)));
      return { ...arrivals, cancel: () => call.cancel() };
    },
  };
}

/** A socket for this component, opened at the service's private socket and let go of with the test. */
export async function openWorkloadApi(
  brokerSocket: string,
  component: string,
): Promise<WorkloadClientSocket & { readonly api: RawWorkload }> {
  const socket = await createWorkloadClient(brokerSocket).open({ component });
  onTestFinished(socket.close);
  return { ...socket, api: createRawWorkload(socket.endpoint) };
}

function statusOf({ code, details }: ServiceError): object {
  return { code, details };
}

function readBundles(message: object): object {
  if (!('bundles' in message) || typeof message.bundles !== 'object' || message.bundles === null) {
    throw new Error('no bundles');
  }
  return Object.fromEntries(Object.entries(message.bundles).map(([name, bytes]) => [name, JSON.parse(String(bytes))]));
}
