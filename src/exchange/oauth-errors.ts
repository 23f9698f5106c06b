import { ClientError } from 'openid-client';
import { type ErrorCode, SvidxError } from '../base/errors.ts';
import { isJsonObject, parseJson } from '../base/json.ts';
import { type Secret, scrub } from '../base/secret.ts';
import type { OAuthGrant } from '../credentials/grants/oauth.ts';
import type { HttpAnswer } from './http-client.ts';

type ExchangeCode = Extract<ErrorCode, `exchange_${string}`>;

/** The error codes of token endpoints: RFC 6749 section 5.2, RFC 8693 section 2.2.2, RFC 8628 section 3.5, RFC 6750 section 3.1. */
const CODES: Readonly<Record<string, ExchangeCode>> = {
  invalid_grant: 'exchange_token_rejected',
  invalid_token: 'exchange_token_rejected',
  invalid_client: 'exchange_denied',
  unauthorized_client: 'exchange_denied',
  access_denied: 'exchange_denied',
  invalid_request: 'exchange_request_rejected',
  invalid_scope: 'exchange_request_rejected',
  invalid_target: 'exchange_request_rejected',
  unsupported_grant_type: 'exchange_request_rejected',
  slow_down: 'exchange_throttled',
  server_error: 'exchange_unavailable',
  temporarily_unavailable: 'exchange_unavailable',
};

const MESSAGES: Readonly<Record<ExchangeCode, string>> = {
  exchange_denied:
    'the authorization server refuses: check clientId of the grant, and what the server lets this SPIFFE ID have',
  exchange_token_rejected:
    'the authorization server does not accept the JWT-SVID: it must trust its issuer, and expect its subject and audience',
  exchange_request_rejected:
    'the authorization server refuses the request: check flow, clientId, scope, resource and targetAudience of the grant',
  exchange_throttled: 'the authorization server is throttling',
  exchange_unavailable: 'the authorization server cannot be reached or fails',
  exchange_response_invalid: 'the authorization server answered with something that is not its protocol',
};

/**
 * RFC 8693 section 2.2.2 has `invalid_request` for a subject token that is not accepted and for a request that is wrong; which
 * of them only the description tells, where there is one.
 */
const ABOUT_THE_TOKEN = /subject[ _-]?token|\b(token|jwt)\b/i;

/** Node's HTTP parser names its errors so: what came is not HTTP. */
const NOT_HTTP = /^HPE_/;

export interface FailedCall {
  /** What the server answered, where it did. */
  readonly answer: HttpAnswer | undefined;
  /** What the JWT-SVID was for; nothing where none was sent. */
  readonly flow?: OAuthGrant['flow'] | undefined;
  /** What was sent. */
  readonly secrets: readonly Secret[];
}

/** What a server says of its refusal (RFC 6749 section 5.2). */
interface Refusal {
  readonly error: string;
  readonly description: string | undefined;
}

/** The meaning of a failed call to an authorization server. What the server said goes to the detail, without the token. */
export function toExchangeError(thrown: unknown, { answer, flow, secrets }: FailedCall): SvidxError {
  // The library wraps what it does not know, such as errors of the network.
  const error = thrown instanceof ClientError && thrown.code === undefined ? thrown.cause : thrown;
  const refusal = answer && (refusalInBody(answer) ?? refusalInChallenge(answer));
  const code = answer === undefined ? classifyNoAnswer(error) : classify(answer, refusal, flow);
  return new SvidxError(code, MESSAGES[code], { detail: scrub(describe(error, answer, refusal), secrets) });
}

function classify({ status, headers }: HttpAnswer, refusal: Refusal | undefined, flow: FailedCall['flow']) {
  // Whatever stands before the server may answer these, so that the body says little.
  if (status === 429) return 'exchange_throttled';
  if (status >= 500) return 'exchange_unavailable';
  if (refusal !== undefined) return classifyRefusal(refusal, status, flow);
  // A challenge without an error asks for a client that authenticates itself (RFC 9110 section 11.6.1).
  return status === 401 && headers.has('www-authenticate') ? 'exchange_denied' : 'exchange_response_invalid';
}

function classifyRefusal({ error, description }: Refusal, status: number, flow: FailedCall['flow']): ExchangeCode {
  if (flow === 'token-exchange' && error === 'invalid_request') {
    return ABOUT_THE_TOKEN.test(description ?? 'token') ? 'exchange_token_rejected' : 'exchange_request_rejected';
  }
  // RFC 7523 section 3.2: so a client assertion is refused, and that is what the JWT-SVID is here.
  if (flow === 'client-credentials' && error === 'invalid_client') return 'exchange_token_rejected';
  const known = Object.hasOwn(CODES, error) ? CODES[error] : undefined;
  return known ?? (status === 401 || status === 403 ? 'exchange_denied' : 'exchange_request_rejected');
}

function classifyNoAnswer(error: unknown): ExchangeCode {
  const code = codeOf(error);
  // Without a code it is no error of the network: too long an answer.
  return code === undefined || NOT_HTTP.test(code) ? 'exchange_response_invalid' : 'exchange_unavailable';
}

function refusalInBody({ body }: HttpAnswer): Refusal | undefined {
  const json = parseJson(body);
  if (!isJsonObject(json)) return undefined;
  const { error, error_description: description } = json;
  if (typeof error !== 'string' || error === '') return undefined;
  return { error, description: typeof description === 'string' ? description : undefined };
}

/** RFC 6750 section 3: `WWW-Authenticate: Bearer error="...", error_description="..."`. */
function refusalInChallenge({ headers }: HttpAnswer): Refusal | undefined {
  const challenge = headers.get('www-authenticate') ?? '';
  const parameter = (name: string) => new RegExp(`(?:^|[\\s,])${name}="([^"\\\\]*)"`, 'i').exec(challenge)?.[1];
  const error = parameter('error');
  return error ? { error, description: parameter('error_description') } : undefined;
}

function describe(error: unknown, answer: HttpAnswer | undefined, refusal: Refusal | undefined): string {
  if (refusal !== undefined) {
    const { error: code, description } = refusal;
    return `HTTP ${answer?.status}, ${code}${description === undefined ? '' : `: ${description}`}`;
  }
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const code = codeOf(error);
  return [
    ...(answer === undefined ? [] : [`HTTP ${answer.status}`]),
    ...(code === undefined ? [] : [code]),
    error.message,
    // The library says there what it missed; further down, its parser quotes the body, which may hold an access token.
    ...(error.cause instanceof Error ? [error.cause.message] : []),
  ].join(', ');
}

/** Such as ECONNREFUSED, of the operating system; or OAUTH_..., of the library. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
