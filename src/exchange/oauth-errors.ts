import { ClientError } from 'openid-client';
import { SvidxError } from '../base/errors.ts';
import { isJsonObject, parseJson } from '../base/json.ts';
import { type Secret, scrub } from '../base/secret.ts';
import type { OAuthGrant } from '../credentials/grants/oauth.ts';
import { describeError, type HttpAnswer, isBrokenConnection } from './http-client.ts';
import { describeAnswer, type ExchangeCode } from './upstream.ts';

/**
 * The error codes of token endpoints: RFC 6749 section 5.2, RFC 8693 section 2.2.2, RFC 8628 section 3.5, RFC 6750 section 3.1,
 * RFC 9449 section 5.
 */
const CODES: Readonly<Record<string, ExchangeCode>> = {
  invalid_grant: 'exchange_token_rejected',
  invalid_token: 'exchange_token_rejected',
  invalid_client: 'exchange_denied',
  unauthorized_client: 'exchange_denied',
  access_denied: 'exchange_denied',
  invalid_request: 'exchange_request_rejected',
  invalid_scope: 'exchange_request_rejected',
  invalid_target: 'exchange_request_rejected',
  invalid_dpop_proof: 'exchange_request_rejected',
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
    'the authorization server refuses the request: check flow, clientId, scope, resource, targetAudience and dpop of the grant',
  exchange_throttled: 'the authorization server is throttling',
  exchange_unavailable: 'the authorization server cannot be reached or fails',
  exchange_response_invalid: 'the authorization server answered with something that is not its protocol',
};

/**
 * RFC 8693 section 2.2.2 has `invalid_request` for a subject token that is not accepted and for a request that is wrong; which
 * of them only the description tells, where there is one.
 */
const ABOUT_THE_TOKEN = /subject[ _-]?token|\b(token|jwt)\b/i;

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
  const silence = isBrokenConnection(error) ? 'exchange_unavailable' : 'exchange_response_invalid';
  const code = answer === undefined ? silence : classify(answer, refusal, flow);
  return new SvidxError(code, MESSAGES[code], { detail: scrub(describe(error, answer, refusal), secrets) });
}

function classify({ status, headers }: HttpAnswer, refusal: Refusal | undefined, flow: FailedCall['flow']) {
  // Whatever stands before the server may answer these, so that the body says little.
  if (status === 429) return 'exchange_throttled';
  if (status >= 500) return 'exchange_unavailable';
  if (refusal !== undefined) return classifyRefusal(refusal, status, flow);
  // A challenge without an error asks for a client that authenticates itself (RFC 9110 section 11.6.1).
  return status === 401 && headers['www-authenticate'] !== undefined ? 'exchange_denied' : 'exchange_response_invalid';
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

function refusalInBody({ body }: HttpAnswer): Refusal | undefined {
  const json = parseJson(body);
  if (!isJsonObject(json)) return undefined;
  const { error, error_description: description } = json;
  if (typeof error !== 'string' || error === '') return undefined;
  return { error, description: typeof description === 'string' ? description : undefined };
}

/** RFC 6750 section 3: `WWW-Authenticate: Bearer error="...", error_description="..."`. */
function refusalInChallenge({ headers }: HttpAnswer): Refusal | undefined {
  const challenge = headers['www-authenticate'] ?? '';
  const parameter = (name: string) => new RegExp(`(?:^|[\\s,])${name}="([^"\\\\]*)"`, 'i').exec(challenge)?.[1];
  const error = parameter('error');
  return error ? { error, description: parameter('error_description') } : undefined;
}

function describe(error: unknown, answer: HttpAnswer | undefined, refusal: Refusal | undefined): string {
  if (answer === undefined) return describeError(error);
  if (refusal !== undefined) {
    const { error: code, description } = refusal;
    return `HTTP ${answer.status}, ${code}${description === undefined ? '' : `: ${description}`}`;
  }
  // The library says in the cause what it missed; further down, its parser quotes the body, which may hold an access token.
  const missed = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
  return [describeAnswer(answer), ...(missed === undefined ? [] : [missed])].join(', ');
}
