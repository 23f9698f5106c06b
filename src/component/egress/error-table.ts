import { SvidxError } from '../../base/errors.ts';
import { EgressError, type HttpErrorCode, type PlainErrorCode } from './error-code.ts';

/** What the system, TLS and Node's HTTP parser say (`code` of their errors), as components are told. */
const ERROR_TABLE: Readonly<Record<string, PlainErrorCode | HttpErrorCode>> = {
  // The system: connect(2), read(2), write(2).
  ECONNREFUSED: 'connection-refused',
  ECONNRESET: 'connection-terminated',
  ECONNABORTED: 'connection-terminated',
  EPIPE: 'connection-terminated',
  ERR_STREAM_DESTROYED: 'connection-terminated',
  ERR_STREAM_PREMATURE_CLOSE: 'connection-terminated',
  ETIMEDOUT: 'connection-timeout',
  EHOSTUNREACH: 'destination-IP-unroutable',
  ENETUNREACH: 'destination-IP-unroutable',
  EADDRNOTAVAIL: 'destination-IP-unroutable',
  EMFILE: 'connection-limit-reached',
  ENFILE: 'connection-limit-reached',

  // Certificates: X509_verify_cert_error_string(3), and what Node adds to it (TLS, X509 certificate error codes).
  CERT_CHAIN_TOO_LONG: 'TLS-certificate-error',
  CERT_HAS_EXPIRED: 'TLS-certificate-error',
  CERT_NOT_YET_VALID: 'TLS-certificate-error',
  CERT_REJECTED: 'TLS-certificate-error',
  CERT_REVOKED: 'TLS-certificate-error',
  CERT_SIGNATURE_FAILURE: 'TLS-certificate-error',
  CERT_UNTRUSTED: 'TLS-certificate-error',
  CRL_HAS_EXPIRED: 'TLS-certificate-error',
  CRL_NOT_YET_VALID: 'TLS-certificate-error',
  CRL_SIGNATURE_FAILURE: 'TLS-certificate-error',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS-certificate-error',
  ERROR_IN_CERT_NOT_AFTER_FIELD: 'TLS-certificate-error',
  ERROR_IN_CERT_NOT_BEFORE_FIELD: 'TLS-certificate-error',
  ERR_TLS_CERT_ALTNAME_FORMAT: 'TLS-certificate-error',
  ERR_TLS_CERT_ALTNAME_INVALID: 'TLS-certificate-error',
  HOSTNAME_MISMATCH: 'TLS-certificate-error',
  INVALID_CA: 'TLS-certificate-error',
  INVALID_PURPOSE: 'TLS-certificate-error',
  PATH_LENGTH_EXCEEDED: 'TLS-certificate-error',
  SELF_SIGNED_CERT_IN_CHAIN: 'TLS-certificate-error',
  UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: 'TLS-certificate-error',
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: 'TLS-certificate-error',
  UNABLE_TO_GET_CRL: 'TLS-certificate-error',
  UNABLE_TO_GET_ISSUER_CERT: 'TLS-certificate-error',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'TLS-certificate-error',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'TLS-certificate-error',
  UNSPECIFIED: 'TLS-certificate-error',
  EPROTO: 'TLS-protocol-error',

  // Node's HTTP parser; all else that it says begins with HPE_ too.
  HPE_HEADER_OVERFLOW: { tag: 'HTTP-response-header-section-size', val: undefined },
  HPE_INVALID_EOF_STATE: 'HTTP-response-incomplete',
};

/** An alert of the far side (RFC 8446 section 6), as OpenSSL names the error: by the version of TLS that brought it in. */
const TLS_ALERT = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13)_ALERT_(\w+)$/;

/**
 * Anything that ended an outgoing request, as an `EgressError`.
 *
 * Of our own errors the component is told code and message, which are made to be shown; of all others only the case, for
 * their texts may have addresses in them.
 */
export function toEgressError(error: unknown): EgressError {
  if (error instanceof EgressError) return error;
  if (error instanceof SvidxError) {
    if (error.code === 'policy_denied') return new EgressError('HTTP-request-denied', error.message);
    return new EgressError({ tag: 'internal-error', val: `${error.code}: ${error.message}` }, error.message);
  }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return new EgressError(httpErrorCode(code), code ?? 'an error without a code');
}

function httpErrorCode(code = ''): PlainErrorCode | HttpErrorCode {
  const known = Object.hasOwn(ERROR_TABLE, code) ? ERROR_TABLE[code] : undefined;
  if (known !== undefined) return known;
  const [, alert] = TLS_ALERT.exec(code) ?? [];
  if (alert !== undefined) {
    const alertMessage = alert.toLowerCase().replaceAll('_', ' ');
    return { tag: 'TLS-alert-received', val: { alertId: undefined, alertMessage } };
  }
  if (code.startsWith('ERR_SSL_')) return 'TLS-protocol-error';
  if (code.startsWith('HPE_')) return 'HTTP-protocol-error';
  return { tag: 'internal-error', val: undefined };
}

/** What a resolver said, as a component is told. `rcode` is that of DNS where it is certain (RFC 8914, RFC 9209 section 2.3.2). */
export function toDnsError(error: unknown): EgressError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const rcode = code === 'ENOTFOUND' ? 'NXDOMAIN' : undefined;
  return new EgressError({ tag: 'DNS-error', val: { rcode, infoCode: undefined } }, `no address: ${code ?? 'no code'}`);
}
