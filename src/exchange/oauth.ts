import {
  allowInsecureRequests,
  type ClientAuth,
  Configuration,
  clientCredentialsGrant,
  customFetch,
  genericGrantRequest,
  type TokenEndpointResponse,
} from 'openid-client';
import { retry } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { Secret, scrub } from '../base/secret.ts';
import type { AccessToken } from '../credentials/credentials.ts';
import type { OAuthGrant } from '../credentials/grants/oauth.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import type { Exchanger } from './exchanger.ts';
import { createHttpClient, type HttpAnswer } from './http-client.ts';
import { toExchangeError } from './oauth-errors.ts';
import { libraryFetch, NO_CLIENT } from './oauth-library.ts';
import { createOAuthServers, type OAuthServer } from './oauth-servers.ts';

export interface OAuthExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

/** The server may have to fetch our issuer's keys first. Three attempts fit into the half minute that the broker gives. Milliseconds. */
const REQUEST_TIMEOUT_MS = 6_000;

/** Metadata and answers have some thousand bytes. */
const MAX_RESPONSE_BYTES = 256 * 1024;

const RETRY = { attempts: 3, firstMs: 200, maxMs: 2_000 };

/** RFC 8693 section 2.1, RFC 7523 section 2.1. */
const GRANT_TYPES = {
  'token-exchange': 'urn:ietf:params:oauth:grant-type:token-exchange',
  'jwt-bearer': 'urn:ietf:params:oauth:grant-type:jwt-bearer',
} as const;

/** RFC 7523 section 2.2, and the draft on OAuth SPIFFE client authentication. */
const CLIENT_ASSERTION_TYPES: Readonly<Record<OAuthGrant['assertionType'], string>> = {
  'jwt-bearer': 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  'jwt-spiffe': 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe',
};

/** RFC 8693 section 3. */
const TOKEN_TYPES = {
  accessToken: 'urn:ietf:params:oauth:token-type:access_token',
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
};

/** `expires_in` is recommended, not required (RFC 6749 section 5.1). Where it is missing, nobody knows: soon. Milliseconds. */
const UNKNOWN_LIFE_MS = 5 * 60_000;

/** No token is kept longer, whatever it says of itself. Milliseconds. */
const MAX_LIFE_MS = 24 * 3_600_000;

/** RFC 6750 section 2.1, but for the padding anywhere: what may stand in an Authorization header. */
const BEARER_TOKEN = /^[A-Za-z0-9._~+/=-]+$/;

/** A JWT-SVID for an access token of any OAuth 2.0 authorization server, by one of three flows. */
export function createOAuthExchanger({ clock, random }: OAuthExchangerOptions): Exchanger<OAuthGrant, AccessToken> {
  const http = createHttpClient({ clock, timeoutMs: REQUEST_TIMEOUT_MS, maxBytes: MAX_RESPONSE_BYTES });
  const servers = createOAuthServers({ clock, random, http });

  return {
    async exchange(subjectToken, grant, { signal }) {
      const { issuer, flow } = grant;
      let answer: HttpAnswer | undefined;

      async function attempt(): Promise<AccessToken> {
        answer = undefined;
        const server = await servers.find(issuer, signal);
        const fetch = libraryFetch(http, signal, (arrived) => {
          answer = arrived;
        });
        try {
          const response = await requestToken(configure(server, subjectToken, grant, fetch), subjectToken, grant);
          return toAccessToken(response, flow, subjectToken, clock.now());
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          throw error instanceof SvidxError
            ? error
            : toExchangeError(error, { answer, flow, secrets: [subjectToken.token] });
        }
      }

      // A server that says when to come back is not asked again before somebody else asks us.
      const isRetryable = (error: unknown): boolean => isTransient(error) && !answer?.headers.has('retry-after');
      try {
        return await retry(attempt, { ...RETRY, clock, random, isRetryable, signal });
      } catch (error) {
        if (maybeMoved(error)) servers.renew(issuer);
        throw error;
      }
    },
  };
}

function isTransient(error: unknown): boolean {
  return error instanceof SvidxError && (error.code === 'exchange_unavailable' || error.code === 'exchange_throttled');
}

/** Whether the token endpoint may no longer be where the metadata in hand have it. */
function maybeMoved(error: unknown): boolean {
  return (
    error instanceof SvidxError && (error.code === 'exchange_unavailable' || error.code === 'exchange_response_invalid')
  );
}

function configure(
  { issuer, tokenEndpoint }: OAuthServer,
  svid: JwtSvid,
  grant: OAuthGrant,
  fetch: ReturnType<typeof libraryFetch>,
): Configuration {
  const server = { issuer, token_endpoint: tokenEndpoint };
  const configuration = new Configuration(
    server,
    grant.clientId ?? NO_CLIENT,
    undefined,
    clientAuthentication(svid, grant),
  );
  configuration[customFetch] = fetch;
  if (tokenEndpoint.startsWith('http:')) allowInsecureRequests(configuration);
  return configuration;
}

/** A client ID where the grant has one; the JWT-SVID as client assertion where that is the flow. */
function clientAuthentication(svid: JwtSvid, { flow, clientId, assertionType }: OAuthGrant): ClientAuth {
  return (_server, _client, body) => {
    if (clientId !== undefined) body.set('client_id', clientId);
    if (flow !== 'client-credentials') return;
    body.set('client_assertion_type', CLIENT_ASSERTION_TYPES[assertionType]);
    body.set('client_assertion', svid.token.reveal());
  };
}

function requestToken(
  configuration: Configuration,
  svid: JwtSvid,
  { flow, scope, resource, targetAudience }: OAuthGrant,
): Promise<TokenEndpointResponse> {
  const parameters = new URLSearchParams(scope === undefined ? {} : { scope });
  for (const uri of resource) parameters.append('resource', uri);
  switch (flow) {
    case 'client-credentials':
      return clientCredentialsGrant(configuration, parameters);
    case 'jwt-bearer':
      parameters.set('assertion', svid.token.reveal());
      return genericGrantRequest(configuration, GRANT_TYPES[flow], parameters);
    case 'token-exchange':
      for (const name of targetAudience) parameters.append('audience', name);
      parameters.set('subject_token', svid.token.reveal());
      parameters.set('subject_token_type', TOKEN_TYPES.jwt);
      parameters.set('requested_token_type', TOKEN_TYPES.accessToken);
      return genericGrantRequest(configuration, GRANT_TYPES[flow], parameters);
  }
}

/**
 * @param response whose `token_type` the library has put in lower case
 * @param now milliseconds since 1970
 */
function toAccessToken(
  response: TokenEndpointResponse,
  flow: OAuthGrant['flow'],
  svid: JwtSvid,
  now: number,
): AccessToken {
  const { access_token, token_type: tokenType, expires_in: expiresIn, issued_token_type: issuedType } = response;
  const token = new Secret(access_token);
  const refuse = (problem: string): never => {
    throw new SvidxError(
      'exchange_response_invalid',
      'the authorization server answered without a usable access token',
      { detail: scrub(problem, [svid.token, token]) },
    );
  };
  if (tokenType !== 'bearer') refuse(`token_type is ${tokenType}; only Bearer can be handed out`);
  // RFC 8693 section 2.2.1: required, and there may be something else in `access_token` than an access token.
  if (flow === 'token-exchange' && issuedType !== TOKEN_TYPES.accessToken && issuedType !== TOKEN_TYPES.jwt) {
    refuse(`issued_token_type is ${JSON.stringify(issuedType)}, not that of an access token`);
  }
  if (!BEARER_TOKEN.test(access_token)) refuse('access_token has characters that no bearer token has');
  const life = expiresIn === undefined ? UNKNOWN_LIFE_MS : Math.min(Math.floor(expiresIn * 1000), MAX_LIFE_MS);
  if (life <= 0) refuse('the access token has expired already');
  return Object.freeze({ kind: 'oauth', token, tokenType: 'Bearer', expiresAt: now + life });
}
