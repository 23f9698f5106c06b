/** The length of a field, and its name: the record `field-size-payload`. */
export interface FieldSize {
  readonly fieldName: string | undefined;
  readonly fieldSize: number | undefined;
}

/** The cases without a payload. */
export type PlainErrorCode =
  | 'DNS-timeout'
  | 'destination-not-found'
  | 'destination-unavailable'
  | 'destination-IP-prohibited'
  | 'destination-IP-unroutable'
  | 'connection-refused'
  | 'connection-terminated'
  | 'connection-timeout'
  | 'connection-read-timeout'
  | 'connection-write-timeout'
  | 'connection-limit-reached'
  | 'TLS-protocol-error'
  | 'TLS-certificate-error'
  | 'HTTP-request-denied'
  | 'HTTP-request-length-required'
  | 'HTTP-request-method-invalid'
  | 'HTTP-request-URI-invalid'
  | 'HTTP-request-URI-too-long'
  | 'HTTP-response-incomplete'
  | 'HTTP-response-timeout'
  | 'HTTP-upgrade-failed'
  | 'HTTP-protocol-error'
  | 'loop-detected'
  | 'configuration-error';

/** The variant `error-code` of `wasi:http/types` 0.2, as `jco` lowers it. The cases are those of RFC 9209 section 2.3. */
export type HttpErrorCode =
  | { readonly tag: PlainErrorCode }
  | { readonly tag: 'DNS-error'; readonly val: { readonly rcode: string | undefined; readonly infoCode: undefined } }
  | {
      readonly tag: 'TLS-alert-received';
      readonly val: { readonly alertId: number | undefined; readonly alertMessage: string | undefined };
    }
  | { readonly tag: 'HTTP-request-body-size' | 'HTTP-response-body-size'; readonly val: bigint | undefined }
  | {
      readonly tag:
        | 'HTTP-request-header-section-size'
        | 'HTTP-request-trailer-section-size'
        | 'HTTP-response-header-section-size'
        | 'HTTP-response-trailer-section-size';
      readonly val: number | undefined;
    }
  | { readonly tag: 'HTTP-request-header-size'; readonly val: FieldSize | undefined }
  | {
      readonly tag: 'HTTP-request-trailer-size' | 'HTTP-response-header-size' | 'HTTP-response-trailer-size';
      readonly val: FieldSize;
    }
  | {
      readonly tag: 'HTTP-response-transfer-coding' | 'HTTP-response-content-coding' | 'internal-error';
      readonly val: string | undefined;
    };

/**
 * Why an outgoing request failed: `errorCode` is for the component, and has no address, credential or path of the host in
 * it; `message` is for the operator's log, and has no secret in it either.
 */
export class EgressError extends Error {
  override readonly name = 'EgressError';
  readonly errorCode: HttpErrorCode;

  constructor(errorCode: PlainErrorCode | HttpErrorCode, message: string) {
    super(message);
    this.errorCode = typeof errorCode === 'string' ? { tag: errorCode } : errorCode;
  }
}
