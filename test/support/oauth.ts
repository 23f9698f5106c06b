import type { Credentials } from '../../src/credentials/credentials.ts';
import type { OAuthGrant } from '../../src/credentials/grants/oauth.ts';
import { REQUEST_TIMEOUT_MS } from '../../src/exchange/http-client.ts';
import { createOAuthExchanger } from '../../src/exchange/oauth.ts';
import { createRecordingClock } from '../fakes/recording-clock.ts';
import {
  type ScriptedAnswer as HttpScript,
  type ScriptedRequest,
  startScriptedUpstream,
} from '../fakes/scripted-upstream.ts';
import { type Arrivals, createArrivals } from './arrivals.ts';
import { subjectToken } from './exchange.ts';

export type { HttpScript };

/** An answer that is one, and not trouble with the connection. */
type PlainAnswer = Exclude<HttpScript, string>;

/** A grant for the server with this issuer, with changes. */
export function oauthGrantOf(issuer: string, changes: Partial<OAuthGrant> = {}): OAuthGrant {
  return Object.freeze({
    kind: 'oauth',
    audience: issuer,
    target: issuer,
    issuer,
    flow: 'token-exchange',
    clientId: undefined,
    assertionType: 'jwt-bearer',
    resource: [],
    targetAudience: [],
    scope: undefined,
    dpop: false,
    ...changes,
  });
}

/** An authorization server that answers whatever a test says. */
export interface ScriptedOAuth {
  readonly issuer: string;
  /** What arrived at the token endpoint, and anywhere else. */
  readonly tokens: Arrivals<ScriptedRequest>;
  readonly others: Arrivals<ScriptedRequest>;
  onToken(request: ScriptedRequest): HttpScript;
  /** At any other place; by default metadata at that of OpenID Connect Discovery. */
  onOther(request: ScriptedRequest): HttpScript;
}

export const ACCESS_TOKEN = 'opaque-access.token~0123456789+/abcdef==';

/** A good answer of a token endpoint, with members changed or left out (`undefined`). */
export function tokenAnswer(changes: Readonly<Record<string, unknown>> = {}): PlainAnswer {
  return json(200, {
    access_token: ACCESS_TOKEN,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 600,
    ...changes,
  });
}

export function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): PlainAnswer {
  return { status, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } };
}

export function oauthError(status: number, error: string, description?: string): PlainAnswer {
  return json(status, { error, error_description: description });
}

export const OIDC_PATH = '/.well-known/openid-configuration';
export const RFC8414_PATH = '/.well-known/oauth-authorization-server';

export async function startScriptedOAuth(): Promise<ScriptedOAuth> {
  const http = await startScriptedUpstream({ contentType: 'application/json', body: tokenAnswer().body });
  const server: ScriptedOAuth = {
    issuer: http.url,
    tokens: createArrivals(),
    others: createArrivals(),
    onToken: () => tokenAnswer(),
    onOther: ({ url }) =>
      url === OIDC_PATH
        ? json(200, { issuer: http.url, token_endpoint: `${http.url}/token` })
        : { status: 404, body: '' },
  };
  http.onRequest = (request) => {
    const isToken = request.url.startsWith('/token');
    (isToken ? server.tokens : server.others).push(request);
    return isToken ? server.onToken(request) : server.onOther(request);
  };
  return server;
}

/** One exchange that is under way. */
export interface RunningOAuth {
  readonly server: ScriptedOAuth;
  readonly running: Promise<Credentials>;
  /** Milliseconds of each wait between attempts, so far. */
  readonly waits: readonly number[];
  readonly token: string;
}

/** Exchanges once; the waits between attempts take no time, and time stands still during requests. */
export async function exchangeOAuth(
  server: ScriptedOAuth,
  options: { grant?: Partial<OAuthGrant>; signal?: AbortSignal; random?: number } = {},
): Promise<RunningOAuth> {
  const clock = createRecordingClock();
  const waits: number[] = [];
  const svid = await subjectToken();
  const exchanger = createOAuthExchanger({ clock, random: () => options.random ?? 0.5 });
  const signal = options.signal ?? new AbortController().signal;
  const running = exchanger.exchange(svid, oauthGrantOf(server.issuer, options.grant), { signal });
  let done = false;
  const end = (): void => {
    done = true;
  };
  running.then(end, end);
  void (async () => {
    while (!done) {
      const delay = await clock.nextDelay();
      if (delay >= REQUEST_TIMEOUT_MS) continue;
      waits.push(delay);
      await clock.advance(delay);
    }
  })();
  return { server, running, waits, token: svid.token.reveal() };
}
