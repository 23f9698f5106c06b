import { STSServiceException } from '@aws-sdk/client-sts';
import { type ErrorCode, SvidxError } from '../base/errors.ts';
import { isJsonObject } from '../base/json.ts';
import { type Secret, scrub } from '../base/secret.ts';

/** What is called of STS. */
export type StsAction = 'AssumeRoleWithWebIdentity' | 'AssumeRole';

type ExchangeCode = Extract<ErrorCode, `exchange_${string}`>;

/**
 * The error codes of AWS STS on the wire (STS API reference, AssumeRoleWithWebIdentity and common errors), without the
 * "Exception" that some of them end with and the SDK's class names all do.
 */
const CODES: Readonly<Record<string, ExchangeCode>> = {
  AccessDenied: 'exchange_denied',
  ExpiredToken: 'exchange_token_rejected',
  InvalidClientTokenId: 'exchange_token_rejected',
  UnrecognizedClient: 'exchange_token_rejected',
  InvalidIdentityToken: 'exchange_token_rejected',
  IDPRejectedClaim: 'exchange_token_rejected',
  IDPCommunicationError: 'exchange_unavailable',
  MalformedPolicyDocument: 'exchange_request_rejected',
  PackedPolicyTooLarge: 'exchange_request_rejected',
  RegionDisabled: 'exchange_request_rejected',
  ValidationError: 'exchange_request_rejected',
  Throttling: 'exchange_throttled',
  RequestLimitExceeded: 'exchange_throttled',
  TooManyRequests: 'exchange_throttled',
  InternalFailure: 'exchange_unavailable',
  InternalError: 'exchange_unavailable',
  ServiceUnavailable: 'exchange_unavailable',
};

const MESSAGES: Readonly<Record<ExchangeCode, string>> = {
  exchange_denied:
    'AWS STS refused: the role does not exist, or its trust policy does not allow this SPIFFE ID and audience',
  exchange_token_rejected:
    'AWS STS does not accept the JWT-SVID: its issuer must be an OIDC provider of the account, with this audience',
  exchange_request_rejected:
    'AWS STS refused the request: check roleArn, region, duration and session policies of the grant',
  exchange_throttled: 'AWS STS is throttling',
  exchange_unavailable: 'AWS STS cannot be reached or fails',
  exchange_response_invalid: 'AWS STS answered with something that is not its protocol',
};

const MESSAGES_OF: Readonly<Record<StsAction, Partial<Record<ExchangeCode, string>>>> = {
  AssumeRoleWithWebIdentity: {},
  AssumeRole: {
    exchange_denied:
      'AWS STS refused the second role: it does not exist, it does not trust the first, or the first may not assume it',
    exchange_token_rejected: 'AWS STS does not accept the credentials of the first role',
    exchange_request_rejected: 'AWS STS refused the request for the second role: check roleArn and duration',
  },
};

/** The SDK's name for an error answer without a code of STS in it: not STS but something before it has answered. */
const NO_CODE = 'Unknown';

/** STS reports keys that it could not fetch in time as an invalid token; unlike other invalid tokens, that passes. */
const KEYS_NOT_FETCHED = /retrieve verification key/i;

/**
 * What credentials of AWS look like: an access key ID (IAM user guide, unique identifiers), a secret access key or a
 * session token. No error of STS holds any, but what stands between it and us, or an answer cut in two, may.
 */
const CREDENTIAL = /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|[A-Za-z0-9+/]{40,}={0,2}/g;

/**
 * The meaning of a failed call to AWS STS. What STS said goes to the detail, without the token or credentials it may quote.
 * @param action what was called
 * @param secrets what was sent with it
 */
export function toExchangeError(error: unknown, action: StsAction, secrets: readonly Secret[]): SvidxError {
  const code = classify(error);
  // What was sent first: without a part of it the rest would not be known any more.
  const withoutSecrets = scrub(describe(error), secrets, Number.POSITIVE_INFINITY);
  return new SvidxError(code, { ...MESSAGES, ...MESSAGES_OF[action] }[code], {
    detail: scrub(withoutSecrets.replace(CREDENTIAL, '[redacted]')),
  });
}

function classify(error: unknown): ExchangeCode {
  const httpStatus = httpStatusOf(error);
  if (error instanceof STSServiceException && error.name !== NO_CODE) {
    const wireCode = error.name.replace(/Exception$/, '');
    if (wireCode === 'InvalidIdentityToken' && KEYS_NOT_FETCHED.test(error.message)) return 'exchange_unavailable';
    const known = Object.hasOwn(CODES, wireCode) ? CODES[wireCode] : undefined;
    return known ?? classifyStatus(httpStatus ?? 0);
  }
  // Nothing answered, or the connection broke within the answer.
  if (httpStatus === undefined || systemCodeOf(error) !== undefined) return 'exchange_unavailable';
  // A proxy or load balancer answered, in its own words: its status is all there is to go by.
  return httpStatus === 429 || httpStatus >= 500 ? classifyStatus(httpStatus) : 'exchange_response_invalid';
}

function classifyStatus(httpStatus: number): ExchangeCode {
  if (httpStatus === 429) return 'exchange_throttled';
  if (httpStatus >= 500) return 'exchange_unavailable';
  if (httpStatus === 403) return 'exchange_denied';
  return httpStatus >= 400 ? 'exchange_request_rejected' : 'exchange_response_invalid';
}

/** The status of the answer, where there was one. The SDK hangs it on every error that it throws, of whatever class. */
function httpStatusOf(error: unknown): number | undefined {
  const metadata: unknown = error instanceof Error && '$metadata' in error ? error.$metadata : undefined;
  const status: unknown = isJsonObject(metadata) ? metadata['httpStatusCode'] : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** Such as ECONNREFUSED: what the operating system said. */
function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const httpStatus = httpStatusOf(error);
  const systemCode = systemCodeOf(error);
  return [
    ...(httpStatus === undefined ? [] : [`HTTP ${httpStatus}`]),
    ...(systemCode === undefined ? [] : [systemCode]),
    `${error.name}: ${error.message}`,
  ].join(', ');
}
