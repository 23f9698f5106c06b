/**
 * Every way in which this service says no, with the sentence the README's table shows for it.
 *
 * The list is closed: each edge (HTTP, WebAssembly imports, the command line) maps these codes in one table, and a test
 * proves that each code is in each table and in the README.
 */
export const ERROR_CODES = {
  usage_invalid: 'The command line is wrong.',
  config_invalid: 'The configuration file or a setting in it is wrong; the message names file, line and key.',
  policy_invalid:
    'A policy file is wrong; the message names file, line and key. The last good policy set stays in use.',

  spiffe_id_invalid: 'The text is not a SPIFFE ID.',
  trust_domain_invalid: 'The text is not the name of a trust domain.',
  bundle_invalid: 'The bytes are not a bundle: no JWK Set, or not certificates in DER.',
  bundle_unavailable: 'No bundle of the trust domain is at hand, or what it comes from does not give one.',

  token_malformed: 'The token is not a JWT-SVID: its form, its header or a required claim is wrong.',
  token_trust_domain_unknown: "No bundle is at hand for the trust domain of the token's subject.",
  token_key_unknown: 'No key in the bundle fits the token.',
  token_signature_invalid: 'The signature does not verify.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token is not valid yet, or says that it was issued in the future.',
  token_audience_mismatch: 'The token is meant for another audience.',

  certificate_missing: 'The client showed no certificate.',
  certificate_malformed:
    'The client certificate is not an X509-SVID: its form, its SPIFFE ID, its key or what its key is for.',
  certificate_trust_domain_unknown: "No X.509 bundle is at hand for the trust domain of the certificate's SPIFFE ID.",
  certificate_untrusted: 'No authority of the trust domain of its SPIFFE ID vouches for the client certificate.',
  certificate_expired: 'The client certificate has expired.',
  certificate_not_yet_valid: 'The client certificate is not valid yet.',

  policy_denied: 'No policy grants this component what it asked for. Nothing was asked upstream.',
  host_denied: 'The host has proved who it is, and is not among those that may ask.',

  identity_not_found:
    'SPIRE has no registration entry for the selectors of this component, or it has not reached the agent.',
  identity_delegate_unauthorized: 'The SPIRE agent does not list this service among its authorized delegates.',
  identity_mismatch: 'SPIRE has identities for these selectors, but not the one the policy names.',
  identity_request_rejected: 'The SPIRE agent refused the request as malformed.',
  identity_response_invalid: 'The SPIRE agent returned something that is not the JWT-SVID that was asked for.',
  identity_unavailable:
    'The SPIRE agent cannot be reached, did not answer in time, or could not get the JWT-SVID signed.',

  exchange_denied: "The target's trust policy refuses this identity.",
  exchange_token_rejected:
    'The target does not accept the JWT-SVID: issuer not registered, audience, signature or time.',
  exchange_request_rejected: 'The target refuses the request: a parameter of the grant is wrong for it.',
  exchange_throttled: 'The target is throttling, also after retries, or too many exchanges wait for it.',
  exchange_unavailable: 'The target cannot be reached or fails, also after retries.',
  exchange_response_invalid: 'The target answered with something that is not a usable credential.',

  component_invalid: 'The file is not a WebAssembly component.',
  component_import_denied: 'The component imports something that it was not given.',
  component_export_unknown: 'The component exports no function of that name, or not for these arguments.',
  component_failed: 'The function of the component returned its own error.',
  component_trapped: 'The component trapped or ran out of memory.',
  component_timed_out: 'The component did not finish within its time limit and was ended.',
  component_busy: 'All instances of the component are busy, and the line before them is full or too slow.',

  session_invalid: 'No such session: its secret is wrong, or it has expired or was revoked.',
  request_invalid: 'The request is malformed.',
  request_too_large: 'The request is larger than the service reads.',
  rate_limited: 'The client asks too often, or for too much at a time; `Retry-After` says when to ask again.',
  host_unknown: 'The request is for a host that the issuer does not answer to.',
  not_found: 'There is nothing at this path.',
  method_not_allowed: 'The path does not answer this method.',
  service_unreachable: 'No service answers at the private socket.',
  service_stopping: 'The service is shutting down.',
  internal_error: 'A defect in this service; the log has the detail.',
} as const satisfies Record<string, string>;

/** One of the closed set of error codes. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** True for a string that is one of our codes (for instance when it arrives in another process's answer). */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CODES, value);
}

/**
 * The one error class of this project.
 *
 * `message` may be shown to whoever asked. `detail` is for the operator's log only: what an upstream said, paths,
 * addresses. Neither ever holds a token, a credential or a secret.
 */
export class SvidxError extends Error {
  override readonly name = 'SvidxError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, message: string, options: { detail?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail;
  }
}

/** Anything thrown as a `SvidxError`: itself, or an `internal_error` that keeps the original as its cause. */
export function toSvidxError(error: unknown): SvidxError {
  if (error instanceof SvidxError) return error;
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : `a thrown ${typeof error}`;
  return new SvidxError('internal_error', 'something went wrong inside svid-exchange', { detail, cause: error });
}
