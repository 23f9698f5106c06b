import {
  allowInsecureRequests,
  type Configuration,
  discovery,
  genericGrantRequest,
  None,
  ResponseBodyError,
  type TokenEndpointResponse,
} from 'openid-client';
import { ask, type HttpAnswer, type ServerUrl } from './http.ts';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const JWT = 'urn:ietf:params:oauth:token-type:jwt';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** `openid-client` as it is, but for plain HTTP on loopback, led by the metadata. */
export function discoverServer(issuer: string): Promise<Configuration> {
  return discovery(new URL(issuer), 'any-client', undefined, None(), {
    algorithm: 'oauth2',
    execute: [allowInsecureRequests],
  });
}

export function exchange(
  server: Configuration,
  subjectToken: string,
  audience: string,
  others: Readonly<Record<string, string>> = {},
): Promise<TokenEndpointResponse> {
  return genericGrantRequest(server, TOKEN_EXCHANGE, {
    subject_token: subjectToken,
    subject_token_type: JWT,
    audience,
    ...others,
  });
}

/** The OAuth error with which `openid-client` was refused, and the code of ours that its description begins with. */
export async function oauthRefusal(answer: Promise<unknown>): Promise<[number, string, string | undefined]> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof ResponseBodyError)) throw error;
    return [error.status, error.error, error.error_description?.replace(/:.*/s, '')];
  }
  throw new Error('it was not refused');
}

/** A complete request, as fields; a test changes some. `undefined` leaves one out. */
export function requestFields(
  subjectToken: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): [string, string][] {
  const fields = {
    grant_type: TOKEN_EXCHANGE,
    subject_token: subjectToken,
    subject_token_type: JWT,
    audience: 'models',
    ...changes,
  };
  return Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}

/** Posts a form, as bytes or as fields. */
export function postForm(
  server: ServerUrl,
  body: string | Uint8Array | readonly [string, string][],
  { path = '/token', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<HttpAnswer> {
  return ask(server, {
    method: 'POST',
    path,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    body:
      typeof body === 'string' || body instanceof Uint8Array
        ? body
        : new URLSearchParams(body.map(([name, value]) => [name, value])).toString(),
  });
}

/** Status, OAuth error and our code of a refusal. */
export function refusalOf({ status, text }: HttpAnswer): [number, string, string] {
  const { error, error_description }: { error: string; error_description: string } = JSON.parse(text);
  return [status, error, error_description.replace(/:.*/s, '')];
}
