import { randomBytes } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { type Context, errors, Provider, type StoredToken } from 'oidc-provider';
import validateDpop from 'oidc-provider/lib/helpers/validate_dpop.js';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';
import { ask } from '../support/http.ts';
import { verifyByIssuer } from './published-issuer.ts';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const TYPE_JWT = 'urn:ietf:params:oauth:token-type:jwt';
const TYPE_ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:';

/** A client that sends its name and nothing else. */
export const PUBLIC_CLIENT = 'svid-exchange';

/** Where the tokens may be used. */
export const RESOURCES = ['https://api.example.org/payments', 'https://api.example.org/ledger'] as const;
export const AUDIENCES = ['payments', 'ledger'] as const;

/** Seconds that tokens live. */
export const EXCHANGED_TTL = 600;
export const CLIENT_CREDENTIALS_TTL = 900;

/** Whose JWT-SVIDs the server accepts. */
interface TrustedSvids {
  /** The OIDC issuer that publishes their keys; exactly their `iss`. */
  readonly issuer: string;
  readonly subjects: readonly string[];
  /** The one audience they must have. */
  readonly audience: string;
}

/** Why a JWT-SVID is not accepted. */
class SvidRefused extends Error {}

/** An authorization server of `oidc-provider` that takes JWT-SVIDs of one issuer, and checks them. */
export interface AuthorizationServer {
  readonly issuer: string;
  /** The forms that reached the token endpoint. */
  readonly forms: Arrivals<URLSearchParams>;
  /** The DPoP proofs that reached it; empty texts where there was none. */
  readonly proofs: Arrivals<string>;
  /** What stands between us and the server, and may put another proof in place of ours. */
  onProof(proof: string): string;
  /** How often each path was asked for. */
  readonly hits: Map<string, number>;
  /** What the server knows of a token that it has issued. */
  find(token: string): Promise<StoredToken | undefined>;
}

export interface AuthorizationServerOptions {
  /** The issuer that is trusted, and the subjects it may speak for; asked at each request. */
  trusted(): Omit<TrustedSvids, 'audience'>;
  /** Which metadata it has. */
  readonly kind?: 'oidc' | 'rfc8414';
  /** Whether it knows DPoP (RFC 9449), and wants a nonce in each proof. */
  readonly dpop?: 'unknown' | 'known' | 'with nonces';
}

export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const front = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  onTestFinished(front.close);
  const back = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  onTestFinished(back.close);
  const trusted = (): TrustedSvids => ({ ...options.trusted(), audience: front.url });
  const clientSecret = randomBytes(32).toString('hex');
  const provider = await createProvider(front.url, trusted, clientSecret, options.dpop ?? 'known');
  back.handle(provider.callback());

  const server: AuthorizationServer = {
    issuer: front.url,
    forms: createArrivals(),
    proofs: createArrivals(),
    onProof: (proof) => proof,
    hits: new Map(),
    find: async (token) => (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token)),
  };

  front.handle((request, response) => {
    void (async () => {
      const path = pathBehind(request.url ?? '', options.kind ?? 'oidc');
      server.hits.set(request.url ?? '', (server.hits.get(request.url ?? '') ?? 0) + 1);
      let body = await readBody(request);
      if (path === '/token') {
        const form = new URLSearchParams(body);
        server.forms.push(new URLSearchParams(body));
        const refused = await authenticateByAssertion(form, trusted(), clientSecret);
        if (refused !== undefined) {
          response.writeHead(401, { 'Content-Type': 'application/json' });
          response.end(JSON.stringify({ error: 'invalid_client', error_description: refused }));
          return;
        }
        body = form.toString();
      }
      const headers: OutgoingHttpHeaders = { ...request.headers, 'content-length': Buffer.byteLength(body) };
      if (path === '/token') {
        const proof = String(headers['dpop'] ?? '');
        server.proofs.push(proof);
        if (proof !== '') headers['dpop'] = server.onProof(proof);
      }
      const answer = await ask(back.url, { method: request.method ?? '', path, headers, body });
      response.writeHead(answer.status, answer.headers).end(answer.text);
    })();
  });
  return server;
}

/** Of a server with RFC 8414 metadata alone nothing is at the place of OpenID Connect Discovery. */
function pathBehind(path: string, kind: 'oidc' | 'rfc8414'): string {
  if (kind === 'oidc') return path;
  if (path === '/.well-known/openid-configuration') return '/nothing';
  return path === '/.well-known/oauth-authorization-server' ? '/.well-known/openid-configuration' : path;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * In front of `oidc-provider`, which refuses a JWT-SVID as client assertion: it has no `jti`, and its `iss` is not its subject.
 * A client whose assertion is good becomes one with the secret that only this file knows.
 * @returns why the client is refused
 */
async function authenticateByAssertion(
  form: URLSearchParams,
  trusted: TrustedSvids,
  clientSecret: string,
): Promise<string | undefined> {
  const assertion = form.get('client_assertion');
  if (assertion === null) return undefined;
  const type = form.get('client_assertion_type');
  if (type !== `${ASSERTION_TYPE}jwt-bearer` && type !== `${ASSERTION_TYPE}jwt-spiffe`) return 'client_assertion_type';
  try {
    const subject = await verifySvid(assertion, trusted);
    const clientId = form.get('client_id') ?? subject;
    // RFC 7521 section 4.2: a client ID that is sent must be that of the subject.
    if (clientId !== subject) return 'client_id is not the subject of the client assertion';
  } catch (error) {
    if (error instanceof SvidRefused) return `client assertion: ${error.message}`;
    throw error;
  }
  form.delete('client_assertion');
  form.delete('client_assertion_type');
  form.set('client_id', 'asserted');
  form.set('client_secret', clientSecret);
  return undefined;
}

async function createProvider(
  issuer: string,
  trusted: () => TrustedSvids,
  clientSecret: string,
  dpop: NonNullable<AuthorizationServerOptions['dpop']>,
): Promise<Provider> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const common = { redirect_uris: [], response_types: [], scope: 'read', id_token_signed_response_alg: 'ES256' };
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'as' }] },
    clients: [
      {
        ...common,
        client_id: PUBLIC_CLIENT,
        token_endpoint_auth_method: 'none',
        grant_types: [TOKEN_EXCHANGE, JWT_BEARER],
      },
      {
        ...common,
        client_id: 'asserted',
        client_secret: clientSecret,
        token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['client_credentials'],
      },
      { ...common, client_id: 'without-grants', token_endpoint_auth_method: 'none', grant_types: [] },
    ],
    scopes: ['read', 'write'],
    adapter: createAdapter(),
    extraTokenClaims: ({ oidc }: Context) => ({
      audience: listOf(oidc.params['audience']),
      resource: listOf(oidc.params['resource']),
    }),
    cookies: { keys: [randomBytes(16).toString('hex')] },
    ttl: { AccessToken: EXCHANGED_TTL, ClientCredentials: CLIENT_CREDENTIALS_TTL },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: {
        enabled: dpop !== 'unknown',
        nonceSecret: randomBytes(32),
        requireNonce: () => dpop === 'with nonces',
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: (_: Context, resource: string) => {
          requireKnown([resource], RESOURCES);
          return { scope: 'read', accessTokenFormat: 'opaque', accessTokenTTL: CLIENT_CREDENTIALS_TTL };
        },
      },
    },
  });

  provider.registerGrantType(
    TOKEN_EXCHANGE,
    async (ctx) => {
      const { params } = ctx.oidc;
      if (params['subject_token_type'] !== TYPE_JWT) throw new errors.InvalidRequest('subject_token_type');
      if ((params['requested_token_type'] ?? TYPE_ACCESS_TOKEN) !== TYPE_ACCESS_TOKEN) {
        throw new errors.InvalidRequest('requested_token_type');
      }
      // RFC 8693 section 2.2.2: a subject token that is not accepted is an invalid request.
      const subject = await subjectOf(params['subject_token'], trusted(), errors.InvalidRequest);
      await issue(ctx, subject, { issued_token_type: TYPE_ACCESS_TOKEN });
    },
    ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'resource', 'scope'],
    ['audience', 'resource'],
  );
  provider.registerGrantType(
    JWT_BEARER,
    async (ctx) => {
      const subject = await subjectOf(ctx.oidc.params['assertion'], trusted(), errors.InvalidGrant);
      await issue(ctx, subject, {});
    },
    ['assertion', 'resource', 'scope'],
    ['resource'],
  );

  async function issue(ctx: Context, subject: string, more: object): Promise<void> {
    const { client, params } = ctx.oidc;
    requireKnown(listOf(params['audience']), AUDIENCES);
    requireKnown(listOf(params['resource']), RESOURCES);
    const scope = listOf(params['scope'])[0];
    if (scope !== undefined && scope !== 'read') throw new errors.InvalidScope('requested scope is not allowed', scope);
    const token = new provider.AccessToken({ accountId: subject, client, gty: 'svid', scope });
    const proof = await validateDpop(provider, ctx);
    if (proof !== undefined) token.setThumbprint('jkt', proof.thumbprint);
    ctx.body = {
      access_token: await token.save(),
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope,
      ...more,
    };
  }
  return provider;
}

/** Where the server keeps its tokens; its own store in memory warns that it is one. */
function createAdapter() {
  const stored = new Map<string, unknown>();
  return (model: string) => ({
    upsert: async (id: string, value: unknown) => void stored.set(`${model} ${id}`, value),
    find: async (id: string) => stored.get(`${model} ${id}`),
  });
}

async function subjectOf(
  token: string | readonly string[] | undefined,
  trusted: TrustedSvids,
  Refusal: new (description: string) => Error,
): Promise<string> {
  try {
    return await verifySvid(String(token), trusted);
  } catch (error) {
    if (error instanceof SvidRefused) throw new Refusal(`subject token: ${error.message}`);
    throw error;
  }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

function requireKnown(names: readonly string[], known: readonly string[]): void {
  for (const name of names) if (!known.includes(name)) throw new errors.InvalidTarget(`unknown target ${name}`);
}

/**
 * Issuer, audience and subject to the letter, and no other audience beside.
 * @returns the subject
 */
async function verifySvid(token: string, { issuer, subjects, audience }: TrustedSvids): Promise<string> {
  const verified = await verifyByIssuer(token, { issuer, algorithms: ['RS256', 'ES256'], now: systemClock.now() });
  if ('problem' in verified) throw new SvidRefused(verified.problem);
  const { aud, sub } = verified.claims;
  if (JSON.stringify([aud].flat()) !== JSON.stringify([audience])) throw new SvidRefused('audience');
  if (sub === undefined || !subjects.includes(sub)) throw new SvidRefused('subject');
  return sub;
}
