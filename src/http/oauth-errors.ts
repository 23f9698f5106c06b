import type { ServerResponse } from 'node:http';
import { ERROR_CODES, type ErrorCode, type SvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';
import { HTTP_STATUS, sendJson } from './errors.ts';

/**
 * The errors of the token endpoint: RFC 6749 section 5.2 and RFC 8693 section 2.2.2. Neither has one for trouble on the
 * server's side; the last two are those of RFC 6749 section 4.1.2.1.
 */
export type OAuthError =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unsupported_grant_type'
  | 'server_error'
  | 'temporarily_unavailable';

/**
 * What each error is at the token endpoint. A subject token that proves nothing is `invalid_request` (RFC 8693 section
 * 2.2.2), a grant that one may not have is `invalid_target`, trouble that may pass is `temporarily_unavailable`.
 */
export const OAUTH_ERROR: Readonly<Record<ErrorCode, OAuthError>> = {
  usage_invalid: 'server_error',
  config_invalid: 'server_error',
  policy_invalid: 'server_error',
  spiffe_id_invalid: 'server_error',
  trust_domain_invalid: 'server_error',
  bundle_invalid: 'server_error',
  bundle_unavailable: 'temporarily_unavailable',
  token_malformed: 'invalid_request',
  token_trust_domain_unknown: 'invalid_request',
  token_key_unknown: 'invalid_request',
  token_signature_invalid: 'invalid_request',
  token_expired: 'invalid_request',
  token_not_yet_valid: 'invalid_request',
  token_audience_mismatch: 'invalid_request',
  certificate_missing: 'server_error',
  certificate_malformed: 'server_error',
  certificate_trust_domain_unknown: 'server_error',
  certificate_untrusted: 'server_error',
  certificate_expired: 'server_error',
  certificate_not_yet_valid: 'server_error',
  policy_denied: 'invalid_target',
  host_denied: 'server_error',
  identity_not_found: 'server_error',
  identity_delegate_unauthorized: 'temporarily_unavailable',
  identity_mismatch: 'server_error',
  identity_request_rejected: 'server_error',
  identity_response_invalid: 'server_error',
  identity_unavailable: 'temporarily_unavailable',
  exchange_denied: 'invalid_target',
  exchange_token_rejected: 'server_error',
  exchange_request_rejected: 'server_error',
  exchange_throttled: 'temporarily_unavailable',
  exchange_unavailable: 'temporarily_unavailable',
  exchange_response_invalid: 'server_error',
  component_invalid: 'server_error',
  component_import_denied: 'server_error',
  component_export_unknown: 'server_error',
  component_failed: 'server_error',
  component_trapped: 'server_error',
  component_timed_out: 'server_error',
  component_busy: 'temporarily_unavailable',
  session_invalid: 'server_error',
  request_invalid: 'invalid_request',
  request_too_large: 'invalid_request',
  rate_limited: 'temporarily_unavailable',
  host_unknown: 'invalid_request',
  not_found: 'invalid_request',
  method_not_allowed: 'invalid_request',
  service_unreachable: 'temporarily_unavailable',
  service_stopping: 'temporarily_unavailable',
  internal_error: 'server_error',
};

/** What HTTP itself has a status for. RFC 6749 section 5.2: 400, unless specified otherwise. */
const STATUSES_OF_HTTP: readonly number[] = [405, 413, 421, 429];

/** The HTTP status with which an error arrives at the token endpoint. */
export function oauthStatus(code: ErrorCode, oauthError: OAuthError = OAUTH_ERROR[code]): number {
  const status = HTTP_STATUS[code];
  if (status >= 500 || STATUSES_OF_HTTP.includes(status)) return status;
  if (oauthError === 'invalid_client') return 401;
  return oauthError === 'server_error' ? 500 : 400;
}

/** How long to wait where nothing better is known, in seconds: failures are remembered for less. */
const RETRY_AFTER_SECONDS = 1;

/** The one place where an error becomes an answer of the token endpoint. */
export function sendOAuthError(
  response: ServerResponse,
  error: SvidxError,
  oauthError = OAUTH_ERROR[error.code],
): void {
  if (oauthError === 'temporarily_unavailable' && !response.hasHeader('Retry-After')) {
    response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
  }
  sendJson(response, oauthStatus(error.code, oauthError), {
    error: oauthError,
    error_description: describe(error, oauthError),
  });
}

/**
 * Our code and a sentence, in the characters that RFC 6749 section 5.2 allows. Of trouble on our side only what the code says
 * to everybody: whoever asks here is not one of ours, perhaps, and the sentences of that kind name addresses and identities.
 */
function describe({ code, message }: SvidxError, oauthError: OAuthError): string {
  const isTheirs = code === 'policy_denied' || /^(token|request|method|host|rate)_/.test(code);
  const sentence = isTheirs && oauthError !== 'server_error' ? scrub(message) : ERROR_CODES[code];
  return `${code}: ${sentence}`.replaceAll('"', "'").replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
