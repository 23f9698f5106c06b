import { allowInsecureRequests, ClientError, customFetch, discovery, None } from 'openid-client';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { createExpiringCache } from '../base/expiring-cache.ts';
import { isLoopbackHost, parseHttpUrl } from '../base/http-url.ts';
import { parseJson } from '../base/json.ts';
import { scrub } from '../base/secret.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { toExchangeError } from './oauth-errors.ts';
import { libraryFetch, NO_CLIENT } from './oauth-library.ts';

/** An authorization server, as its metadata describe it. */
export interface OAuthServer {
  /** Exactly as the grant has it. */
  readonly issuer: string;
  readonly tokenEndpoint: string;
}

export interface OAuthServers {
  /**
   * The server of this issuer, asked for its metadata where they are not at hand.
   * @throws SvidxError `exchange_*`, or the signal's reason
   */
  find(issuer: string, signal: AbortSignal): Promise<OAuthServer>;
  /** Has the metadata fetched anew when they are next used, behind that use. */
  renew(issuer: string): void;
}

export interface OAuthServersOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly http: HttpClient;
}

/** Metadata are fetched anew behind their use after ten minutes, and never used after an hour. Milliseconds. */
const FRESH_MS = 10 * 60_000;
const USABLE_MS = 60 * 60_000;

/** Two requests, one for each kind of metadata, and a little more. Milliseconds. */
const LOAD_TIMEOUT_MS = 13_000;

/** Shorter than any wait between attempts: those who fail together do not ask one after the other. Milliseconds. */
const REMEMBER_FAILURE_MS = 100;

const MAX_SERVERS = 1_000;

/** What the library says when the metadata are of another issuer. */
const OTHER_ISSUER = 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED';

/** The kinds of metadata in the order in which they are asked for, as the library names them. */
const METADATA = ['oidc', 'oauth2'] as const;

/**
 * Finds authorization servers by their metadata: OpenID Connect Discovery 1.0, and RFC 8414 where the server has no document
 * of that kind or one without a token endpoint.
 */
export function createOAuthServers({ clock, random, http }: OAuthServersOptions): OAuthServers {
  const cache = createExpiringCache<OAuthServer>({
    clock,
    random,
    maxEntries: MAX_SERVERS,
    maxRefreshes: MAX_SERVERS,
    loadTimeoutMs: LOAD_TIMEOUT_MS,
    timeoutError: () => new SvidxError('exchange_unavailable', 'the metadata of the authorization server do not come'),
    lifetime: (_, now) => ({ freshUntil: now + FRESH_MS, usableUntil: now + USABLE_MS }),
    rememberFailureMs: () => REMEMBER_FAILURE_MS,
  });

  async function load(issuer: string, signal: AbortSignal): Promise<OAuthServer> {
    for (const kind of METADATA) {
      const metadata = await read(issuer, kind, signal);
      if (metadata?.token_endpoint !== undefined) return toServer(metadata, issuer);
    }
    throw new SvidxError(
      'exchange_request_rejected',
      'the authorization server publishes no metadata with a token endpoint: check issuer of the grant',
    );
  }

  /** The document of this kind; nothing when the server has none. */
  async function read(issuer: string, algorithm: (typeof METADATA)[number], signal: AbortSignal) {
    let answer: HttpAnswer | undefined;
    try {
      const configuration = await discovery(new URL(issuer), NO_CLIENT, undefined, None(), {
        algorithm,
        execute: issuer.startsWith('http:') ? [allowInsecureRequests] : [],
        [customFetch]: libraryFetch(http, signal, (arrived) => {
          answer = arrived;
        }),
      });
      const { issuer: named, token_endpoint } = configuration.serverMetadata();
      return { issuer: named, token_endpoint };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (answer !== undefined && isAbsent(answer.status)) return undefined;
      if (answer !== undefined && error instanceof ClientError && error.code === OTHER_ISSUER) {
        throw ofAnotherIssuer(Object(parseJson(answer.body)).issuer);
      }
      throw toExchangeError(error, { answer, secrets: [] });
    }
  }

  return {
    find: (issuer, signal) => cache.get(issuer, (flight) => load(issuer, flight), signal),
    renew: cache.renew,
  };
}

/** Some servers refuse what they do not have with 400 or 403. */
function isAbsent(status: number): boolean {
  return status >= 400 && status < 500 && status !== 429;
}

/** The library compares issuers as URLs, and knows servers whose issuer may differ; here it is the very text. */
function toServer(metadata: { issuer: string; token_endpoint?: unknown }, issuer: string): OAuthServer {
  const { issuer: named, token_endpoint: tokenEndpoint } = metadata;
  if (named !== issuer) throw ofAnotherIssuer(named);
  if (typeof tokenEndpoint !== 'string' || !isSafeEndpoint(tokenEndpoint, issuer)) {
    throw unusable('the metadata of the authorization server name a token endpoint that is not https', tokenEndpoint);
  }
  return { issuer, tokenEndpoint };
}

/**
 * Whether a token may be sent there: never over plain HTTP, unless the issuer is so itself, which a grant allows on loopback
 * alone, and the endpoint is on loopback too.
 */
export function isSafeEndpoint(text: string, issuer: string): boolean {
  const url = parseHttpUrl(text);
  // RFC 6749 section 3.2: a query is allowed, a fragment is not.
  if (url === undefined || text.includes('#')) return false;
  return url.protocol === 'https:' || (issuer.startsWith('http:') && isLoopbackHost(url.hostname));
}

function ofAnotherIssuer(named: unknown): SvidxError {
  const message = 'the metadata of the authorization server are of another issuer: check issuer, to the last slash';
  return unusable(message, named);
}

function unusable(message: string, found: unknown): SvidxError {
  return new SvidxError('exchange_response_invalid', message, { detail: scrub(`found ${JSON.stringify(found)}`) });
}
