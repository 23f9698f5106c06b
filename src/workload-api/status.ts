import { Metadata, status } from '@grpc/grpc-js';
import { type ErrorCode, type SvidxError, toSvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';

type StatusName = 'INVALID_ARGUMENT' | 'PERMISSION_DENIED' | 'UNAVAILABLE' | 'INTERNAL';

/**
 * The gRPC status of each error at the Workload API (SPIFFE Workload Endpoint section 6): PERMISSION_DENIED is to have no
 * identity, whoever says so; UNAVAILABLE is what another attempt may change; a token that does not validate is an
 * INVALID_ARGUMENT, as SPIRE has it.
 */
export const WORKLOAD_API_STATUS: Readonly<Record<ErrorCode, StatusName>> = {
  usage_invalid: 'INVALID_ARGUMENT',
  config_invalid: 'INTERNAL',
  policy_invalid: 'INTERNAL',
  spiffe_id_invalid: 'INVALID_ARGUMENT',
  trust_domain_invalid: 'INVALID_ARGUMENT',
  bundle_invalid: 'UNAVAILABLE',
  bundle_unavailable: 'UNAVAILABLE',
  token_malformed: 'INVALID_ARGUMENT',
  token_trust_domain_unknown: 'INVALID_ARGUMENT',
  token_key_unknown: 'INVALID_ARGUMENT',
  token_signature_invalid: 'INVALID_ARGUMENT',
  token_expired: 'INVALID_ARGUMENT',
  token_not_yet_valid: 'INVALID_ARGUMENT',
  token_audience_mismatch: 'INVALID_ARGUMENT',
  certificate_missing: 'INTERNAL',
  certificate_malformed: 'INTERNAL',
  certificate_trust_domain_unknown: 'INTERNAL',
  certificate_untrusted: 'INTERNAL',
  certificate_expired: 'INTERNAL',
  certificate_not_yet_valid: 'INTERNAL',
  policy_denied: 'PERMISSION_DENIED',
  host_denied: 'INTERNAL',
  identity_not_found: 'PERMISSION_DENIED',
  identity_delegate_unauthorized: 'UNAVAILABLE',
  identity_mismatch: 'PERMISSION_DENIED',
  identity_request_rejected: 'UNAVAILABLE',
  identity_response_invalid: 'UNAVAILABLE',
  identity_unavailable: 'UNAVAILABLE',
  exchange_denied: 'INTERNAL',
  exchange_token_rejected: 'INTERNAL',
  exchange_request_rejected: 'INTERNAL',
  exchange_throttled: 'UNAVAILABLE',
  exchange_unavailable: 'UNAVAILABLE',
  exchange_response_invalid: 'INTERNAL',
  component_invalid: 'INTERNAL',
  component_import_denied: 'INTERNAL',
  component_export_unknown: 'INTERNAL',
  component_failed: 'INTERNAL',
  component_trapped: 'INTERNAL',
  component_timed_out: 'INTERNAL',
  component_busy: 'INTERNAL',
  session_invalid: 'INTERNAL',
  request_invalid: 'INVALID_ARGUMENT',
  request_too_large: 'INVALID_ARGUMENT',
  rate_limited: 'UNAVAILABLE',
  host_unknown: 'INTERNAL',
  not_found: 'INTERNAL',
  method_not_allowed: 'INTERNAL',
  service_unreachable: 'UNAVAILABLE',
  service_stopping: 'UNAVAILABLE',
  internal_error: 'INTERNAL',
};

/** A refusal as gRPC sends it. */
export interface StatusAnswer {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/**
 * The one place where an error becomes an answer of the Workload API. To have no identity reads as in SPIRE, whatever the
 * reason: what the policy says is for the operator, in the audit.
 */
export function statusAnswer(thrown: unknown): StatusAnswer {
  const error = toSvidxError(thrown);
  const name = WORKLOAD_API_STATUS[error.code];
  return { code: status[name], details: detailsOf(name, error), metadata: new Metadata() };
}

function detailsOf(name: StatusName, error: SvidxError): string {
  if (name === 'PERMISSION_DENIED') return 'no identity issued';
  if (name === 'INTERNAL') return 'internal error';
  // It may repeat what was sent, and somebody may have sent a token where a name belongs.
  return scrub(error.message);
}
