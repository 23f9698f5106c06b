import { type ErrorCode, type SvidxError, toSvidxError } from '../../base/errors.ts';
import { type HostImport, type ImportOutcome, stringArgument } from '../host-import.ts';

/** The cases of the variant `wasmcloud:identity/store.error`. */
export type IdentityErrorCase = 'io' | 'not-found' | 'other';

/** Which case of the interface's error each code becomes. */
export const IDENTITY_ERROR_CASE: Readonly<Record<ErrorCode, IdentityErrorCase>> = {
  usage_invalid: 'other',
  config_invalid: 'other',
  policy_invalid: 'other',
  spiffe_id_invalid: 'other',
  trust_domain_invalid: 'other',
  bundle_invalid: 'other',
  bundle_unavailable: 'io',
  token_malformed: 'other',
  token_trust_domain_unknown: 'other',
  token_key_unknown: 'other',
  token_signature_invalid: 'other',
  token_expired: 'other',
  token_not_yet_valid: 'other',
  token_audience_mismatch: 'other',
  certificate_missing: 'other',
  certificate_malformed: 'other',
  certificate_trust_domain_unknown: 'other',
  certificate_untrusted: 'other',
  certificate_expired: 'other',
  certificate_not_yet_valid: 'other',
  policy_denied: 'other',
  host_denied: 'other',
  identity_not_found: 'not-found',
  identity_delegate_unauthorized: 'io',
  identity_mismatch: 'not-found',
  identity_request_rejected: 'other',
  identity_response_invalid: 'other',
  identity_unavailable: 'io',
  exchange_denied: 'other',
  exchange_token_rejected: 'other',
  exchange_request_rejected: 'other',
  exchange_throttled: 'io',
  exchange_unavailable: 'io',
  exchange_response_invalid: 'other',
  component_invalid: 'other',
  component_import_denied: 'other',
  component_export_unknown: 'other',
  component_failed: 'other',
  component_trapped: 'other',
  component_timed_out: 'other',
  component_busy: 'other',
  session_invalid: 'other',
  request_invalid: 'other',
  request_too_large: 'other',
  rate_limited: 'io',
  host_unknown: 'other',
  not_found: 'other',
  method_not_allowed: 'other',
  service_unreachable: 'io',
  service_stopping: 'io',
  internal_error: 'other',
};

/** `wasmcloud:identity/store@0.0.1`: a JWT-SVID of the component for one audience. */
export const identityImport: HostImport = {
  name: 'wasmcloud:identity/store',
  functions: {
    async get({ broker, caller }, args) {
      try {
        const svid = await broker.identity(caller, [stringArgument(args)]);
        return { ok: svid.token.reveal() };
      } catch (error) {
        return toOutcome(toSvidxError(error));
      }
    },
  },
};

function toOutcome(error: SvidxError): ImportOutcome {
  const tag = IDENTITY_ERROR_CASE[error.code];
  return { err: tag === 'not-found' ? { tag } : { tag, val: `${error.code}: ${error.message}` } };
}
