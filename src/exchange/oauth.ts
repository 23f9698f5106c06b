import {
  allowInsecureRequests,
  type ClientAuth,
  Configuration,
  clientCredentialsGrant,
  customFetch,
  type DPoPHandle,
  genericGrantRequest,
  type TokenEndpointResponse,
} from 'openid-client';
import { retry } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { AccessToken, BoundAccessToken } from '../credentials/credentials.ts';
import type { OAuthGrant } from '../credentials/grants/oauth.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { createDpopKey } from './dpop-key.ts';
import type { Exchanger } from './exchanger.ts';
import { createHttpClient, type HttpAnswer } from './http-client.ts';
import { readTokenAnswer, TOKEN_TYPES } from './oauth-answer.ts';
import { toExchangeError } from './oauth-errors.ts';
import { libraryFetch, NO_CLIENT } from './oauth-library.ts';
import { createOAuthServers, type OAuthServer } from './oauth-servers.ts';
import { askedPause, MAX_PAUSE_MS, RETRY } from './upstream.ts';

export interface OAuthExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

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

/** A JWT-SVID for an access token of any OAuth 2.0 authorization server, by one of three flows. */
export function createOAuthExchanger(
  options: OAuthExchangerOptions,
): Exchanger<OAuthGrant, AccessToken | BoundAccessToken> {
  const { clock, random } = options;
  const http = createHttpClient(clock);
  const servers = createOAuthServers({ clock, random, http });

  return {
    async exchange(subjectToken, grant, { signal }) {
      const { issuer, flow, dpop } = grant;
      let answer: HttpAnswer | undefined;

      async function attempt(): Promise<AccessToken | BoundAccessToken> {
        answer = undefined;
        const server = await servers.find(issuer, signal);
        const fetch = libraryFetch(http, signal, (arrived) => {
          answer = arrived;
        });
        try {
          const sentAt = clock.now();
          const configuration = configure(server, subjectToken, grant, fetch);
          const key = dpop ? await createDpopKey(configuration, clock) : undefined;
          const response = await requestToken(configuration, subjectToken, grant, key?.handle);
          const { token } = subjectToken;
          const proofKey = key?.privateKey;
          return readTokenAnswer(response, { flow, subjectToken: token, proofKey, sentAt, now: clock.now() });
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          throw error instanceof SvidxError
            ? error
            : toExchangeError(error, { answer, flow, secrets: [subjectToken.token] });
        }
      }

      const pauseMs = (): number => (answer === undefined ? 0 : askedPause(answer, clock.now()));
      const isRetryable = (error: unknown): boolean => isTransient(error) && pauseMs() <= MAX_PAUSE_MS;
      try {
        return await retry(attempt, { ...RETRY, clock, random, isRetryable, pauseMs, signal });
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
  handle: DPoPHandle | undefined,
): Promise<TokenEndpointResponse> {
  const parameters = new URLSearchParams(scope === undefined ? {} : { scope });
  for (const uri of resource) parameters.append('resource', uri);
  const options = handle === undefined ? {} : { DPoP: handle };
  switch (flow) {
    case 'client-credentials':
      return clientCredentialsGrant(configuration, parameters, options);
    case 'jwt-bearer':
      parameters.set('assertion', svid.token.reveal());
      return genericGrantRequest(configuration, GRANT_TYPES[flow], parameters, options);
    case 'token-exchange':
      for (const name of targetAudience) parameters.append('audience', name);
      parameters.set('subject_token', svid.token.reveal());
      parameters.set('subject_token_type', TOKEN_TYPES.jwt);
      parameters.set('requested_token_type', TOKEN_TYPES.accessToken);
      return genericGrantRequest(configuration, GRANT_TYPES[flow], parameters, options);
  }
}
