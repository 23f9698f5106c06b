import { z } from 'zod';
import { SvidxError } from '../base/errors.ts';
import { type Secret, scrub } from '../base/secret.ts';
import { describeAnswer, type ExchangeCode, jsonBody, type Outcome, type UpstreamAnswer } from './upstream.ts';

/**
 * The numbers of Entra ID's errors (Microsoft identity platform, error codes), as `error_codes` has them. The texts with
 * them change, and one OAuth `error` stands for several of them.
 */
const CODES: ReadonlyMap<number, ExchangeCode> = new Map([
  // No federated credential of the application fits: none at all, by its issuer, its audience or its subject.
  [70021, 'exchange_denied'],
  [700211, 'exchange_token_rejected'],
  [700212, 'exchange_token_rejected'],
  [7002121, 'exchange_token_rejected'],
  [700213, 'exchange_denied'],
  [7002131, 'exchange_denied'],
  // The assertion: its form or claims, its times, its signature, an issuer or audience that is never allowed.
  [50027, 'exchange_token_rejected'],
  [700024, 'exchange_token_rejected'],
  [700027, 'exchange_token_rejected'],
  [700222, 'exchange_token_rejected'],
  [700223, 'exchange_token_rejected'],
  [700227, 'exchange_token_rejected'],
  // Tenant, application, another kind of credential, scope.
  [90002, 'exchange_request_rejected'],
  [700016, 'exchange_request_rejected'],
  [7000215, 'exchange_request_rejected'],
  [7000222, 'exchange_request_rejected'],
  [70011, 'exchange_request_rejected'],
  [500011, 'exchange_request_rejected'],
  [50166, 'exchange_unavailable'],
  [50196, 'exchange_throttled'],
]);

/** A new or changed federated credential takes minutes to be known everywhere, and this is what is said until then. */
const NOT_KNOWN_EVERYWHERE_YET = 70021;

const MESSAGES: Readonly<Record<ExchangeCode, string>> = {
  exchange_denied: 'Entra ID refused: no federated credential of the application names this SPIFFE ID',
  exchange_token_rejected:
    'Entra ID does not accept the JWT-SVID: a federated credential must name its issuer and audience, and it must be signed with RS256',
  exchange_request_rejected: 'Entra ID refused the request: check tenantId, clientId and scope of the grant',
  exchange_throttled: 'Entra ID is throttling',
  exchange_unavailable: 'Entra ID cannot be reached or fails',
  exchange_response_invalid: 'Entra ID answered with something that is not its protocol',
};

const refusalDocument = z.object({
  error: z.string(),
  error_codes: z.array(z.number()).default([]),
  error_description: z.string().default(''),
  trace_id: z.string().default('none'),
});

/**
 * The meaning of an answer of Entra ID that holds no access token. What it said goes to the detail, without the token it may
 * quote.
 * @param secrets what was sent
 */
export function readAzureRefusal(answer: UpstreamAnswer, secrets: readonly Secret[]): Outcome<never> {
  const refusal = answer.status >= 400 ? refusalDocument.safeParse(jsonBody(answer)).data : undefined;
  const code = classify(answer.status, refusal);
  const mayPass =
    code === 'exchange_unavailable' ||
    code === 'exchange_throttled' ||
    refusal?.error_codes.includes(NOT_KNOWN_EVERYWHERE_YET) === true;
  const detail =
    refusal === undefined
      ? describeAnswer(answer)
      : `HTTP ${answer.status}, ${refusal.error}, trace ${refusal.trace_id}: ${refusal.error_description}`;
  return { error: azureError(code, detail, secrets), mayPass };
}

export function azureError(code: ExchangeCode, detail: string, secrets: readonly Secret[]): SvidxError {
  return new SvidxError(code, MESSAGES[code], { detail: scrub(detail, secrets) });
}

function classify(status: number, refusal: z.output<typeof refusalDocument> | undefined): ExchangeCode {
  const known = refusal?.error_codes.map((code) => CODES.get(code)).find((code) => code !== undefined);
  if (known !== undefined) return known;
  if (status === 429) return 'exchange_throttled';
  if (status >= 500 || refusal?.error === 'temporarily_unavailable') return 'exchange_unavailable';
  return refusal === undefined ? 'exchange_response_invalid' : 'exchange_request_rejected';
}
