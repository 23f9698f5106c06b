import { fileURLToPath } from 'node:url';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';

const SERVICE_NAME = 'SpiffeWorkloadAPI';
const METHODS = ['FetchJWTSVID', 'FetchJWTBundles', 'ValidateJWTSVID'] as const;

/** The methods we speak, as gRPC definitions made from our `.proto` file. */
export type WorkloadApiService = Readonly<Record<(typeof METHODS)[number], MethodDefinition<object, object>>>;

/** SPIFFE Workload Endpoint section 5: what a browser that was tricked into asking cannot send. On each call, once. */
export const SECURITY_HEADER = { name: 'workload.spiffe.io', value: 'true' } as const;

/** Loads the contract of the SPIFFE Workload API from `proto/`. */
export function loadWorkloadApiService(): WorkloadApiService {
  const definitions = loadSync('spiffe/workloadapi.proto', {
    includeDirs: [fileURLToPath(new URL('../../proto/', import.meta.url))],
    keepCase: true,
    defaults: true,
  });
  const service = definitions[SERVICE_NAME];
  if (!isWorkloadApi(service)) throw new Error(`proto/ does not define ${SERVICE_NAME}`);
  return service;
}

function isWorkloadApi(definition: unknown): definition is WorkloadApiService {
  return typeof definition === 'object' && definition !== null && METHODS.every((method) => method in definition);
}
