import { z } from 'zod';
import { SvidxError } from '../base/errors.ts';
import { type Secret, scrub } from '../base/secret.ts';
import { describeAnswer, type ExchangeCode, jsonBody, type Outcome, type UpstreamAnswer } from './upstream.ts';

/** Which of Google's services is asked. */
export type GcpStep = 'token exchange' | 'impersonation';

/** The `error` of an OAuth answer (RFC 6749 section 5.2, RFC 8693 section 2.2.2), as the Security Token Service uses them. */
const OAUTH_ERRORS: ReadonlyMap<string, ExchangeCode> = new Map([
  ['invalid_grant', 'exchange_token_rejected'],
  // The attribute condition of the provider.
  ['unauthorized_client', 'exchange_denied'],
  ['access_denied', 'exchange_denied'],
  ['invalid_request', 'exchange_request_rejected'],
  ['invalid_target', 'exchange_request_rejected'],
  ['invalid_scope', 'exchange_request_rejected'],
  ['invalid_client', 'exchange_request_rejected'],
  ['unsupported_grant_type', 'exchange_request_rejected'],
  ['temporarily_unavailable', 'exchange_unavailable'],
  ['server_error', 'exchange_unavailable'],
]);

/** The `status` of an error of a Google API (google.rpc.Code). */
const RPC_STATUSES: ReadonlyMap<string, ExchangeCode> = new Map([
  ['PERMISSION_DENIED', 'exchange_denied'],
  ['UNAUTHENTICATED', 'exchange_token_rejected'],
  ['INVALID_ARGUMENT', 'exchange_request_rejected'],
  ['FAILED_PRECONDITION', 'exchange_request_rejected'],
  ['OUT_OF_RANGE', 'exchange_request_rejected'],
  ['NOT_FOUND', 'exchange_request_rejected'],
  ['RESOURCE_EXHAUSTED', 'exchange_throttled'],
  ['UNAVAILABLE', 'exchange_unavailable'],
  ['INTERNAL', 'exchange_unavailable'],
  ['ABORTED', 'exchange_unavailable'],
  ['DEADLINE_EXCEEDED', 'exchange_unavailable'],
]);

const MESSAGES: Readonly<Record<GcpStep, Readonly<Record<ExchangeCode, string>>>> = {
  'token exchange': {
    exchange_denied:
      "Google's Security Token Service refused: the provider's attribute condition does not admit this SPIFFE ID",
    exchange_token_rejected:
      "Google's Security Token Service does not accept the JWT-SVID: the provider must have its issuer and audience, and map its subject to at most 127 bytes",
    exchange_request_rejected:
      "Google's Security Token Service refused the request: check provider and scopes of the grant",
    exchange_throttled: "Google's Security Token Service is throttling",
    exchange_unavailable: "Google's Security Token Service cannot be reached or fails",
    exchange_response_invalid: "Google's Security Token Service answered with something that is not its protocol",
  },
  impersonation: {
    exchange_denied:
      'Google IAM refused: the service account does not exist, or does not let this SPIFFE ID act as a workload identity user',
    exchange_token_rejected: 'Google IAM does not accept the token of the federated identity',
    exchange_request_rejected: 'Google IAM refused the request: check serviceAccount, scopes and lifetime of the grant',
    exchange_throttled: 'Google IAM is throttling',
    exchange_unavailable: 'Google IAM cannot be reached or fails',
    exchange_response_invalid: 'Google IAM answered with something that is not its protocol',
  },
};

const oauthRefusal = z.object({ error: z.string(), error_description: z.string().default('') });
const rpcRefusal = z.object({ error: z.object({ status: z.string(), message: z.string().default('') }) });

/**
 * The meaning of an answer of a Google service that holds no token. What it said goes to the detail, without the tokens it
 * may quote. Either service may word a refusal either way: what stands before them does not speak OAuth.
 * @param secrets what was sent
 */
export function readGcpRefusal(answer: UpstreamAnswer, step: GcpStep, secrets: readonly Secret[]): Outcome<never> {
  const { code, detail } = classify(answer);
  const mayPass = code === 'exchange_unavailable' || code === 'exchange_throttled';
  return { error: gcpError(code, step, detail, secrets), mayPass };
}

export function gcpError(code: ExchangeCode, step: GcpStep, detail: string, secrets: readonly Secret[]): SvidxError {
  return new SvidxError(code, MESSAGES[step][code], { detail: scrub(detail, secrets) });
}

function classify(answer: UpstreamAnswer): { readonly code: ExchangeCode; readonly detail: string } {
  const { status } = answer;
  const body = status >= 400 ? jsonBody(answer) : undefined;
  const { data: oauth } = oauthRefusal.safeParse(body);
  if (oauth !== undefined) {
    const code = OAUTH_ERRORS.get(oauth.error) ?? codeOfStatus(status);
    return { code, detail: `HTTP ${status}, ${oauth.error}: ${oauth.error_description}` };
  }
  const { data: rpc } = rpcRefusal.safeParse(body);
  if (rpc !== undefined) {
    const code = RPC_STATUSES.get(rpc.error.status) ?? codeOfStatus(status);
    return { code, detail: `HTTP ${status}, ${rpc.error.status}: ${rpc.error.message}` };
  }
  const code = status === 429 || status >= 500 ? codeOfStatus(status) : 'exchange_response_invalid';
  return { code, detail: describeAnswer(answer) };
}

function codeOfStatus(status: number): ExchangeCode {
  if (status === 429) return 'exchange_throttled';
  if (status >= 500) return 'exchange_unavailable';
  return status === 403 ? 'exchange_denied' : 'exchange_request_rejected';
}
