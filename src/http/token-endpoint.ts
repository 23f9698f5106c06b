import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { TokenRedeemer } from '../broker/token-redeemer.ts';
import type { Issuer } from '../config/issuer.ts';
import type { TokenEndpointConfig } from '../config/token-endpoint.ts';
import { sendJson } from './errors.ts';
import type { GuardedEndpoint } from './issuer-guard.ts';
import { sendOAuthError } from './oauth-errors.ts';
import { type PublishedDocument, publishedDocument } from './published-document.ts';
import { readTokenRequest, TOKEN_EXCHANGE } from './token-request.ts';
import { tokenResponse } from './token-response.ts';

export interface TokenEndpointOptions {
  readonly issuer: Issuer;
  readonly config: TokenEndpointConfig;
  readonly redeemer: TokenRedeemer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An endpoint on the issuer's own listener, behind the issuer's own guard. */
export interface TokenEndpoint extends GuardedEndpoint {
  /** What leads to it, by path: published beside the issuer's documents. */
  readonly documents: ReadonlyMap<string, PublishedDocument>;
  /** Whether a request is for it, whatever its method. */
  matches(request: IncomingMessage): boolean;
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/**
 * The token endpoint (RFC 8693): POST a JWT-SVID as `subject_token` and the name of a grant as `audience`, and have the
 * grant's credential. The token alone says who asks: there are no clients to register, and no client authentication.
 *
 * It answers programs, not web pages: there is no CORS.
 */
export function createTokenEndpoint({ issuer, config, redeemer, clock, logger }: TokenEndpointOptions): TokenEndpoint {
  function refuse(
    response: ServerResponse,
    error: SvidxError,
    oauthError?: Parameters<typeof sendOAuthError>[2],
  ): void {
    if (response.headersSent) response.destroy();
    else sendOAuthError(response, error, oauthError);
  }

  return {
    documents: new Map([[config.metadataPath, publishedDocument(serverMetadata(issuer, config))]]),
    matches: (request) => pathOf(request.url ?? '') === config.path,
    sendError: sendOAuthError,
    async handle(request, response) {
      try {
        if (request.method !== 'POST') {
          response.setHeader('Allow', 'POST');
          throw new SvidxError('method_not_allowed', 'this path answers POST');
        }
        const asked = await readTokenRequest(request);
        if ('problem' in asked) {
          const error = new SvidxError('request_invalid', asked.problem);
          logger.warn({ event: 'token_request.refused', oauthError: asked.oauthError, error }, 'not a token request');
          if (asked.oauthError === 'invalid_client') challenge(request, response);
          refuse(response, error, asked.oauthError);
          return;
        }
        const credentials = await redeemer.redeem(asked);
        // RFC 6749 section 5.1 wants it beside Cache-Control.
        response.setHeader('Pragma', 'no-cache');
        sendJson(response, 200, tokenResponse(credentials, clock.now()));
      } catch (thrown) {
        const error = toSvidxError(thrown);
        // What the redeemer throws is in the audit.
        if (/^(request|method)_/.test(error.code)) {
          logger.warn({ event: 'token_request.refused', error }, 'not a token request');
        }
        if (error.code === 'internal_error') logger.error({ error }, 'a request failed');
        if (error.code === 'request_too_large') response.setHeader('Connection', 'close');
        refuse(response, error);
      }
    },
  };
}

/**
 * The metadata of an authorization server (RFC 8414 section 2) that has a token endpoint and no other. The list of response
 * types is required and may not be empty (section 3.2); `none` is the one that gives nothing (OAuth 2.0 Multiple Response
 * Type Encoding Practices section 4).
 */
function serverMetadata(issuer: Issuer, { url }: TokenEndpointConfig): object {
  return {
    issuer: issuer.url,
    token_endpoint: url,
    jwks_uri: issuer.keysUrl,
    response_types_supported: ['none'],
    grant_types_supported: [TOKEN_EXCHANGE],
    token_endpoint_auth_methods_supported: ['none'],
  };
}

/** The path as it was sent, of a whole URL too (RFC 9112 section 3.2.2). */
function pathOf(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
}

/** RFC 6749 section 5.2: the challenge names the scheme that was tried; `Basic` is the one that OAuth clients try. */
function challenge({ headers }: IncomingMessage, response: ServerResponse): void {
  if (headers.authorization === undefined) return;
  const scheme = /^basic /i.test(headers.authorization) ? 'Basic' : 'Bearer';
  response.setHeader('WWW-Authenticate', `${scheme} realm="svid-exchange"`);
}
