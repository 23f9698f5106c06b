import { type ServiceError, status } from '@grpc/grpc-js';
import { SvidxError } from '../../base/errors.ts';
import { scrub } from '../../base/secret.ts';
import { JwtBundle } from '../../spiffe/jwt-bundle.ts';
import { type BundleStreamDeps, createBundleStream } from '../bundle-stream.ts';
import type { RunningJwtBundleSource } from '../source.ts';
import type { WorkloadApi } from './api.ts';

export interface WorkloadJwtBundleSourceOptions extends BundleStreamDeps {
  readonly api: WorkloadApi;
}

/** JWT bundles, our own trust domain's and those it federates with, from the SPIFFE Workload API (section 6.2.2). */
export function createWorkloadJwtBundleSource(options: WorkloadJwtBundleSourceOptions): RunningJwtBundleSource {
  return createBundleStream({
    ...options,
    kind: 'JWT',
    parse: JwtBundle.parse,
    subscribe: options.api.fetchJwtBundles,
    toError,
  });
}

/** The status codes of SPIFFE Workload Endpoint section 6. */
function toError(error: unknown): SvidxError {
  if (error === undefined) return new SvidxError('identity_unavailable', 'the Workload API closed the bundle stream');
  if (!isServiceError(error)) return unavailable(`a thrown ${typeof error}`);
  const detail = scrub(`gRPC ${status[error.code] ?? error.code}: ${error.details}`);
  switch (error.code) {
    case status.PERMISSION_DENIED:
      return new SvidxError(
        'bundle_unavailable',
        'the Workload API gives this service no bundle: it has no registration entry, or the entry has not reached the agent yet',
        { detail },
      );
    case status.INVALID_ARGUMENT:
      return new SvidxError('identity_request_rejected', 'the Workload API refused the request', { detail });
    case status.UNIMPLEMENTED:
      return new SvidxError(
        'identity_request_rejected',
        'the socket does not serve the SPIFFE Workload API with JWT bundles',
        { detail },
      );
    default:
      return unavailable(detail);
  }
}

function unavailable(detail: string): SvidxError {
  return new SvidxError('identity_unavailable', 'the Workload API cannot be reached or does not answer', { detail });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}
