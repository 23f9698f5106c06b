import type { TokenEndpointResponse } from 'openid-client';
import { SvidxError } from '../base/errors.ts';
import { type Secret, scrub } from '../base/secret.ts';
import type { AccessToken, BoundAccessToken } from '../credentials/credentials.ts';
import type { OAuthGrant } from '../credentials/grants/oauth.ts';
import { bearerToken, toAccessToken } from './access-token-answer.ts';

/** RFC 8693 section 3. */
export const TOKEN_TYPES = {
  accessToken: 'urn:ietf:params:oauth:token-type:access_token',
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
} as const;

/** `expires_in` is recommended, not required (RFC 6749 section 5.1). Where it is missing, nobody knows: soon. Milliseconds. */
const UNKNOWN_LIFE_MS = 5 * 60_000;

/** No token is kept longer, whatever it says of itself. Milliseconds. */
const MAX_LIFE_MS = 24 * 3_600_000;

export interface AnswerContext {
  readonly flow: OAuthGrant['flow'];
  readonly subjectToken: Secret;
  /** The key that the token must be bound to, where the grant asks for that. */
  readonly proofKey: Secret | undefined;
  /** When the request was sent, and when the answer is read: milliseconds since 1970. */
  readonly sentAt: number;
  readonly now: number;
}

/**
 * The access token in a good answer.
 * @param response as the library reads it: with `token_type` in lower case and `expires_in` a number, not below 0
 * @throws SvidxError `exchange_response_invalid` when it is none that can be handed out, a bearer token where a bound one was asked for included
 */
export function readTokenAnswer(
  response: TokenEndpointResponse,
  context: AnswerContext,
): AccessToken | BoundAccessToken {
  const { flow, subjectToken, proofKey, sentAt, now } = context;
  const { token_type: tokenType, expires_in: seconds, issued_token_type: issuedType } = response;
  const life = seconds === undefined ? UNKNOWN_LIFE_MS : Math.min(Math.floor(seconds * 1000), MAX_LIFE_MS);
  const { access_token: text } = response;
  const token = toAccessToken('oauth', text, sentAt + life);
  const refuse = (problem: string): SvidxError =>
    new SvidxError('exchange_response_invalid', 'the authorization server answered without a usable access token', {
      detail: scrub(problem, [subjectToken, token.token]),
    });

  // RFC 9449 section 5: a server that does not know DPoP ignores the proof, and answers with what anybody could use.
  if (proofKey !== undefined && tokenType === 'bearer') throw downgraded();
  // `DPoP` that nobody asked for is bound to a key that nobody has; `N_A` is no access token (RFC 8693 section 2.2.1).
  const [wanted, written] = proofKey === undefined ? ['bearer', 'Bearer'] : ['dpop', 'DPoP'];
  if (tokenType !== wanted) throw refuse(`token_type is ${tokenType}; only ${written} can be handed out`);
  if (flow === 'token-exchange' && issuedType !== TOKEN_TYPES.accessToken && issuedType !== TOKEN_TYPES.jwt) {
    throw refuse(`issued_token_type is ${JSON.stringify(issuedType)}; only an access token or a JWT can be handed out`);
  }
  if (!bearerToken.safeParse(text).success) throw refuse('access_token has characters that no bearer token has');
  if (token.expiresAt <= now) throw refuse(`access_token lives for ${seconds} seconds`);
  return proofKey === undefined ? token : Object.freeze({ ...token, kind: 'oauth', tokenType: 'DPoP', proofKey });
}

function downgraded(): SvidxError {
  return new SvidxError(
    'exchange_response_invalid',
    'the authorization server answered with a token that is not bound to a key (DPoP), as the grant wants it: check that it supports DPoP, or dpop of the grant',
  );
}
