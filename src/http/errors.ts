import type { ServerResponse } from 'node:http';
import { type ErrorCode, type SvidxError, toSvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { scrub } from '../base/secret.ts';

/** The HTTP status of each error. Not proven is 401, not allowed 403; trouble upstream is 502, 503 or 504. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  usage_invalid: 400,
  config_invalid: 500,
  policy_invalid: 500,
  spiffe_id_invalid: 400,
  trust_domain_invalid: 400,
  bundle_invalid: 502,
  bundle_unavailable: 503,
  token_malformed: 401,
  token_trust_domain_unknown: 401,
  token_key_unknown: 401,
  token_signature_invalid: 401,
  token_expired: 401,
  token_not_yet_valid: 401,
  token_audience_mismatch: 401,
  certificate_missing: 401,
  certificate_malformed: 401,
  certificate_trust_domain_unknown: 401,
  certificate_untrusted: 401,
  certificate_expired: 401,
  certificate_not_yet_valid: 401,
  policy_denied: 403,
  host_denied: 403,
  identity_not_found: 404,
  identity_delegate_unauthorized: 503,
  identity_mismatch: 409,
  identity_request_rejected: 502,
  identity_response_invalid: 502,
  identity_unavailable: 503,
  exchange_denied: 403,
  exchange_token_rejected: 502,
  exchange_request_rejected: 502,
  exchange_throttled: 503,
  exchange_unavailable: 503,
  exchange_response_invalid: 502,
  component_invalid: 500,
  component_import_denied: 500,
  component_export_unknown: 500,
  component_failed: 500,
  component_trapped: 500,
  component_timed_out: 504,
  component_busy: 503,
  session_invalid: 401,
  request_invalid: 400,
  request_too_large: 413,
  rate_limited: 429,
  host_unknown: 421,
  not_found: 404,
  method_not_allowed: 405,
  service_unreachable: 503,
  service_stopping: 503,
  internal_error: 500,
};

/** The body of every error answer. `message` is for the caller; the detail stays in the log. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The one place where an error becomes an HTTP answer. */
export function sendError(response: ServerResponse, error: SvidxError): void {
  // It may repeat what was sent, and somebody may have sent a token where a name belongs.
  const body: ErrorBody = { code: error.code, message: scrub(error.message) };
  sendJson(response, HTTP_STATUS[error.code], body);
}

/**
 * The end of a request that failed: what the caller gets, and a log line for a defect of ours.
 * @param send how the error is written, where that is not our own way
 */
export function sendFailure(
  response: ServerResponse,
  thrown: unknown,
  logger: Logger,
  send: (response: ServerResponse, error: SvidxError) => void = sendError,
): void {
  const error = toSvidxError(thrown);
  if (error.code === 'internal_error') logger.error({ error }, 'a request failed');
  if (response.headersSent) response.destroy();
  else send(response, error);
}

/** An answer that nobody may keep. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const json = JSON.stringify(body);
  const length = Buffer.byteLength(json);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  // Of ASCII the bytes are the same, and Node writes them in less time.
  response.end(json, length === json.length ? 'latin1' : 'utf8');
}
