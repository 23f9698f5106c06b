import type { IncomingMessage } from 'node:http';
import { SvidxError } from '../base/errors.ts';
import type { Redemption } from '../broker/token-redeemer.ts';
import { type Form, parseForm } from './form.ts';
import type { OAuthError } from './oauth-errors.ts';
import { readBody } from './read-body.ts';
import { shapesOf } from './token-response.ts';

/** RFC 8693 section 2.1. */
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 8693 section 3: what a JWT-SVID is. */
const JWT = 'urn:ietf:params:oauth:token-type:jwt';

/** A token of 20,000 characters and whatever stands around it; a larger body is given up. */
export const MAX_TOKEN_REQUEST_BYTES = 32 * 1024;

/** What may stand once in a request (RFC 6749 section 3.2). `audience` and `resource` may be repeated (RFC 8693 section 2.1). */
const SINGLE = [
  'grant_type',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'scope',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
];

/** Why a request is none that this endpoint answers. The sentence never repeats what was sent. */
export interface TokenRequestProblem {
  readonly problem: string;
  readonly oauthError: OAuthError;
}

/**
 * Reads a token exchange request (RFC 8693 section 2.1): a form, in the body and nowhere else.
 * @throws SvidxError `request_invalid`, `request_too_large` for what is not a form of one request
 */
export async function readTokenRequest(request: IncomingMessage): Promise<Redemption | TokenRequestProblem> {
  // A token in a URL ends up in logs (RFC 9700 section 4.3.2): nobody shall find that it works.
  if (request.url?.includes('?')) throw new SvidxError('request_invalid', 'expected no query: the body is the request');
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity', authorization } = request.headers;
  if (!/^application\/x-www-form-urlencoded *(?:; *charset="?utf-8"? *)?$/i.test(type)) {
    throw new SvidxError('request_invalid', 'expected a body of application/x-www-form-urlencoded, in UTF-8');
  }
  if (encoding.toLowerCase() !== 'identity') {
    throw new SvidxError('request_invalid', 'expected a body without content encoding');
  }
  const body = await readBody(request, MAX_TOKEN_REQUEST_BYTES).catch((cause: unknown) => {
    throw new SvidxError('request_invalid', 'the body did not arrive', { cause });
  });
  if (body === undefined) {
    throw new SvidxError('request_too_large', `the body is over ${MAX_TOKEN_REQUEST_BYTES} bytes`);
  }
  const form = parseForm(body);
  if (form === undefined) throw new SvidxError('request_invalid', 'the body cannot be read as a form in UTF-8');
  // RFC 6749 section 5.2: whoever believes that it authenticates must hear that it does not.
  if (authorization !== undefined) return problem('Authorization: there is no client authentication', 'invalid_client');
  return parseTokenRequest(form);
}

/** What a form asks for. Parameters that are not known are ignored, empty ones are as if left out (RFC 6749 section 3.2). */
export function parseTokenRequest(form: Form): Redemption | TokenRequestProblem {
  const twice = SINGLE.find((name) => (form.get(name)?.length ?? 0) > 1);
  if (twice !== undefined) return problem(`${twice}: is there more than once`);
  const value = (name: string): string | undefined => form.get(name)?.[0] || undefined;

  const grantType = value('grant_type');
  if (grantType === undefined) return problem('grant_type: is missing');
  if (grantType !== TOKEN_EXCHANGE) {
    return problem(`grant_type: expected ${TOKEN_EXCHANGE}`, 'unsupported_grant_type');
  }
  for (const name of ['client_secret', 'client_assertion', 'client_assertion_type']) {
    if (value(name) !== undefined) return problem(`${name}: there is no client authentication`, 'invalid_client');
  }
  const subjectToken = value('subject_token');
  if (subjectToken === undefined) return problem('subject_token: is missing');
  if (value('subject_token_type') !== JWT) return problem(`subject_token_type: expected ${JWT}`);
  for (const name of ['actor_token', 'actor_token_type']) {
    if (value(name) !== undefined) return problem(`${name}: nobody can act for another here`);
  }
  if (value('scope') !== undefined) return problem('scope: the policy alone says what a grant is for', 'invalid_scope');

  const named = (name: string): string[] => (form.get(name) ?? []).filter((text) => text !== '');
  if (named('resource').length > 0) {
    return problem('resource: expected the name of a grant as audience instead', 'invalid_target');
  }
  const [grant, another] = named('audience');
  if (grant === undefined) return problem('audience: expected the name of a grant');
  if (another !== undefined) return problem('audience: expected the name of one grant', 'invalid_target');

  const requestedType = value('requested_token_type');
  const shapes = requestedType === undefined ? undefined : shapesOf(requestedType);
  if (shapes?.length === 0) return problem('requested_token_type: is none that a grant gives');
  return { subjectToken, grant, shapes };
}

function problem(text: string, oauthError: OAuthError = 'invalid_request'): TokenRequestProblem {
  return { problem: text, oauthError };
}
