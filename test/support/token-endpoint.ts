import {
  allowInsecureRequests,
  type Configuration,
  discovery,
  genericGrantRequest,
  None,
  ResponseBodyError,
  type TokenEndpointResponse,
} from 'openid-client';
import { tokenEndpointConfig } from '../../src/config/token-endpoint.ts';
import type { IssuerAppOptions } from '../../src/http/issuer-app.ts';
import { createTokenEndpoint } from '../../src/http/token-endpoint.ts';
import { EXPIRY_SECONDS } from '../fakes/broker.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { createFakeRedeemer, type FakeRedeemer } from '../fakes/token-redeemer.ts';
import { ask, type HttpAnswer, type ServerUrl } from './http.ts';
import { type RunningIssuer, startIssuer } from './issuer.ts';

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

/** The token endpoint on an issuer's listener, its redeemer in the test's hands. The clock stands at 2029-12-31T23:00:00Z. */
export async function startTokenEndpoint(
  options: { url?: string; limits?: Partial<IssuerAppOptions> } = {},
): Promise<RunningIssuer & { redeemer: FakeRedeemer; log: MemoryLog; post: typeof postForm }> {
  const redeemer = createFakeRedeemer();
  const log = createMemoryLog();
  const clock = createFakeClock((EXPIRY_SECONDS - 3600) * 1000);
  const running = await startIssuer({
    ...options,
    withIssuer: (issuer) => ({
      tokenEndpoint: createTokenEndpoint({
        issuer,
        config: tokenEndpointConfig(issuer),
        redeemer,
        clock,
        logger: log.logger,
      }),
    }),
  });
  return { ...running, redeemer, log, post: postForm };
}
