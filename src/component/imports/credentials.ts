import { type ErrorCode, type SvidxError, toSvidxError } from '../../base/errors.ts';
import type { Credentials } from '../../credentials/credentials.ts';
import { type HostImport, type ImportOutcome, stringArgument } from '../host-import.ts';

/** The cases of the variant `svidx:credentials/store.error`. */
export type CredentialsErrorCase = 'denied' | 'no-identity' | 'rejected' | 'unavailable' | 'internal';

/** Which case of the interface's error each code becomes. */
export const CREDENTIALS_ERROR_CASE: Readonly<Record<ErrorCode, CredentialsErrorCase>> = {
  usage_invalid: 'internal',
  config_invalid: 'internal',
  policy_invalid: 'internal',
  spiffe_id_invalid: 'internal',
  trust_domain_invalid: 'internal',
  bundle_invalid: 'internal',
  bundle_unavailable: 'unavailable',
  token_malformed: 'internal',
  token_trust_domain_unknown: 'internal',
  token_key_unknown: 'internal',
  token_signature_invalid: 'internal',
  token_expired: 'internal',
  token_not_yet_valid: 'internal',
  token_audience_mismatch: 'internal',
  certificate_missing: 'internal',
  certificate_malformed: 'internal',
  certificate_trust_domain_unknown: 'internal',
  certificate_untrusted: 'internal',
  certificate_expired: 'internal',
  certificate_not_yet_valid: 'internal',
  policy_denied: 'denied',
  host_denied: 'internal',
  identity_not_found: 'no-identity',
  identity_delegate_unauthorized: 'unavailable',
  identity_mismatch: 'no-identity',
  identity_request_rejected: 'no-identity',
  identity_response_invalid: 'no-identity',
  identity_unavailable: 'unavailable',
  exchange_denied: 'rejected',
  exchange_token_rejected: 'rejected',
  exchange_request_rejected: 'rejected',
  exchange_throttled: 'unavailable',
  exchange_unavailable: 'unavailable',
  exchange_response_invalid: 'rejected',
  component_invalid: 'internal',
  component_import_denied: 'internal',
  component_export_unknown: 'internal',
  component_failed: 'internal',
  component_trapped: 'internal',
  component_timed_out: 'internal',
  component_busy: 'internal',
  session_invalid: 'internal',
  request_invalid: 'rejected',
  request_too_large: 'rejected',
  rate_limited: 'unavailable',
  host_unknown: 'internal',
  not_found: 'internal',
  method_not_allowed: 'internal',
  service_unreachable: 'unavailable',
  service_stopping: 'unavailable',
  internal_error: 'internal',
};

/** `svidx:credentials/store@0.1.0`: the credentials that the component's policy grants under a name. */
export const credentialsImport: HostImport = {
  name: 'svidx:credentials/store',
  functions: {
    async get({ broker, caller }, args) {
      try {
        return { ok: toVariant(await broker.credentials(caller, stringArgument(args))) };
      } catch (error) {
        return toOutcome(toSvidxError(error));
      }
    },
  },
};

/** The variant `credentials`, with its secrets in the clear: from here they are the component's. */
function toVariant(credentials: Credentials): { tag: string; val: unknown } {
  const expiration = BigInt(Math.floor(credentials.expiresAt / 1000));
  const { kind: tag } = credentials;
  switch (tag) {
    case 'aws': {
      const { accessKeyId, secretAccessKey, sessionToken, region } = credentials;
      const [secret, session] = [secretAccessKey.reveal(), sessionToken.reveal()];
      return { tag, val: { accessKeyId, secretAccessKey: secret, sessionToken: session, expiration, region } };
    }
    case 'vault': {
      const { token, address, namespace } = credentials;
      return { tag, val: { token: token.reveal(), address, namespace, expiration } };
    }
    default: {
      const { token, tokenType } = credentials;
      const proofKey = 'proofKey' in credentials ? credentials.proofKey.reveal() : undefined;
      return { tag, val: { token: token.reveal(), tokenType, proofKey, expiration } };
    }
  }
}

function toOutcome({ code, message }: SvidxError): ImportOutcome {
  return { err: { tag: CREDENTIALS_ERROR_CASE[code], val: { code, message } } };
}
