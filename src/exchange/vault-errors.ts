import { z } from 'zod';
import { SvidxError } from '../base/errors.ts';
import { type Secret, scrub } from '../base/secret.ts';
import { describeAnswer, type ExchangeCode, jsonBody, type Outcome, type UpstreamAnswer } from './upstream.ts';

/** What of an answer makes it the one meant: its status, and what the first of its errors begins with or holds. */
interface Refusal {
  readonly status: number;
  readonly says?: RegExp;
  readonly code: ExchangeCode;
}

/**
 * The refusals of Vault and OpenBao, the first that fits. The HTTP API says which statuses there are; nearly all that a
 * login is refused for is a 400, told apart by the text alone (auth method `jwt`, path_login.go, and the library `cap`
 * that it verifies tokens with).
 */
const REFUSALS: readonly Refusal[] = [
  // The keys of the issuer could not be fetched; unlike other tokens that are not accepted, that passes.
  { status: 400, says: /^error configuring token validator|fetching keys/, code: 'exchange_unavailable' },
  { status: 400, says: /^error validating token: invalid subject/, code: 'exchange_denied' },
  { status: 400, says: /^error validating token/, code: 'exchange_token_rejected' },
  { status: 400, says: /^audience claim found in JWT/, code: 'exchange_token_rejected' },
  { status: 400, says: /^claim ".*" (not found in token|could not be converted)/, code: 'exchange_token_rejected' },
  { status: 400, says: /^error validating claims/, code: 'exchange_denied' },
  { status: 403, code: 'exchange_denied' },
  // The node does not know yet what another one has written (Vault Enterprise).
  { status: 412, code: 'exchange_unavailable' },
];

const MESSAGES: Readonly<Record<ExchangeCode, string>> = {
  exchange_denied:
    'Vault refused: the role does not admit this SPIFFE ID (bound_subject, bound_claims, token_bound_cidrs), or no such auth method is mounted',
  exchange_token_rejected:
    "Vault does not accept the JWT-SVID: the auth method must know the issuer's keys, and the role its audience (bound_audiences)",
  exchange_request_rejected: 'Vault refused the request: check role, mount, method and namespace of the grant',
  exchange_throttled: 'Vault is throttling',
  exchange_unavailable: 'Vault cannot be reached, is sealed, or fails',
  exchange_response_invalid: 'Vault answered with something that is not its protocol',
};

const REDIRECTED = 'Vault redirects, which is not followed: the address of the grant must be the one that answers';

/** HTTP API, error response. */
const refusalDocument = z.object({ errors: z.array(z.string()) });

/** What tokens of Vault and OpenBao begin with; what comes before the dot says of which kind they are. */
const TOKEN = /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*/g;

/**
 * The meaning of an answer of Vault that is no success. What it said goes to the detail, without the token it may quote.
 * @param secrets what was sent
 */
export function readVaultRefusal(answer: UpstreamAnswer, secrets: readonly Secret[]): Outcome<never> {
  const said = answer.status >= 400 ? refusalDocument.safeParse(jsonBody(answer)).data?.errors : undefined;
  const code = classify(answer.status, said);
  const mayPass = code === 'exchange_unavailable' || code === 'exchange_throttled';
  const detail = said === undefined ? describeAnswer(answer) : `HTTP ${answer.status}, ${said.join('; ')}`;
  const message = answer.status >= 300 && answer.status < 400 ? REDIRECTED : MESSAGES[code];
  return { error: vaultError(code, detail, secrets, message), mayPass };
}

export function vaultError(
  code: ExchangeCode,
  detail: string,
  secrets: readonly Secret[],
  message = MESSAGES[code],
): SvidxError {
  // What was sent first: without a part of it the rest would not be known any more.
  const withoutSecrets = scrub(detail, secrets, Number.POSITIVE_INFINITY);
  return new SvidxError(code, message, { detail: scrub(withoutSecrets.replace(TOKEN, '[redacted]')) });
}

function classify(status: number, said: readonly string[] | undefined): ExchangeCode {
  if (status === 429) return 'exchange_throttled';
  if (status >= 500) return 'exchange_unavailable';
  // A proxy in its own words, or no error at all.
  if (said === undefined) return 'exchange_response_invalid';
  const text = said.join('; ');
  const known = REFUSALS.find((refusal) => refusal.status === status && (refusal.says?.test(text) ?? true));
  // What else is refused is about the role, the mount or the namespace: unknown, not configured, or of another kind.
  return known?.code ?? 'exchange_request_rejected';
}
