import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { unverifiedClaims, verifyByIssuer } from './published-issuer.ts';

/** A workload identity pool provider, whose attribute mapping is `google.subject = assertion.sub`. */
export interface PoolProvider {
  /** `projects/...` */
  readonly name: string;
  readonly issuer: string;
  /** Where empty: the full resource name, with and without `https:`. */
  readonly allowedAudiences?: readonly string[];
  /** Its attribute condition. */
  readonly condition?: (subject: string) => boolean;
}

export interface GoogleOptions {
  readonly providers: readonly PoolProvider[];
  /** By e-mail address: the subjects that have the role of a workload identity user on it. */
  readonly serviceAccounts?: Readonly<Record<string, readonly string[]>>;
  readonly clock?: Clock;
}

/** A server that checks what Google's Security Token Service and `generateAccessToken` check, and says no as they do. */
export interface FakeGoogle {
  readonly url: string;
  /** The tokens that it has given, with whose each is. */
  readonly issued: ReadonlyMap<string, string>;
}

/** Google Cloud IAM, WorkloadIdentityPoolProvider, attributeMapping. */
const MAX_SUBJECT_BYTES = 127;

const MAX_LIFETIME_SECONDS = 3600;

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

class Refusal extends Error {
  readonly status: number;
  readonly body: object;

  constructor(status: number, body: object) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

const oauthRefusal = (error: string, description: string): Refusal =>
  new Refusal(400, { error, error_description: description });

const rpcRefusal = (code: number, status: string, message: string): Refusal =>
  new Refusal(code, { error: { code, message, status, details: [] } });

export async function startGoogle(options: GoogleOptions): Promise<FakeGoogle> {
  const { providers, serviceAccounts = {}, clock = systemClock } = options;
  const issued = new Map<string, string>();
  const scopes = new Map<string, readonly string[]>();
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  onTestFinished(listener.close);

  function issue(owner: string, granted: readonly string[]): string {
    const token = `ya29.${randomUUID()}`;
    issued.set(token, owner);
    scopes.set(token, granted);
    return token;
  }

  async function tokenExchange(form: URLSearchParams): Promise<object> {
    const expected = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    };
    for (const [name, value] of Object.entries(expected)) {
      if (form.get(name) !== value) throw oauthRefusal('invalid_request', `Invalid value for ${name}`);
    }
    const scope = form.get('scope') ?? '';
    if (scope === '') throw oauthRefusal('invalid_scope', 'No scope is given');
    const provider = providers.find(({ name }) => form.get('audience') === `//iam.googleapis.com/${name}`);
    if (provider === undefined) throw oauthRefusal('invalid_target', 'The pool or provider does not exist');
    const subject = await subjectOf(form.get('subject_token') ?? '', provider);
    const issuedType = 'urn:ietf:params:oauth:token-type:access_token';
    const token = issue(subject, scope.split(' '));
    return { access_token: token, issued_token_type: issuedType, token_type: 'Bearer', expires_in: 3599 };
  }

  async function subjectOf(token: string, provider: PoolProvider): Promise<string> {
    const { name, issuer, allowedAudiences = [], condition = () => true } = provider;
    const claims = unverifiedClaims(token);
    if (claims === undefined) throw oauthRefusal('invalid_request', 'Unable to parse the ID Token');
    if (claims.iss !== issuer) throw oauthRefusal('invalid_grant', `The issuer ${claims.iss} is not the expected one`);
    const own = [`//iam.googleapis.com/${name}`, `https://iam.googleapis.com/${name}`];
    const audiences = allowedAudiences.length === 0 ? own : allowedAudiences;
    if (![claims.aud].flat().some((audience) => audience !== undefined && audiences.includes(audience))) {
      throw oauthRefusal('invalid_grant', `The audience ${claims.aud} is not the expected one`);
    }
    const verified = await verifyByIssuer(token, { issuer, algorithms: ['RS256', 'ES256'], now: clock.now() });
    if ('problem' in verified)
      throw oauthRefusal('invalid_grant', `The ID Token cannot be verified: ${verified.problem}`);
    const subject = verified.claims.sub ?? '';
    if (Buffer.byteLength(subject) > MAX_SUBJECT_BYTES) {
      throw oauthRefusal('invalid_grant', `google.subject exceeds ${MAX_SUBJECT_BYTES} bytes`);
    }
    if (!condition(subject)) throw oauthRefusal('unauthorized_client', 'Rejected by the attribute condition');
    return subject;
  }

  function generateAccessToken(email: string, authorization: string | undefined, body: string): object {
    const token = authorization?.replace(/^Bearer /, '') ?? '';
    const caller = issued.get(token);
    if (caller === undefined) throw rpcRefusal(401, 'UNAUTHENTICATED', 'Invalid authentication credentials');
    if (!scopes.get(token)?.includes(CLOUD_PLATFORM)) {
      throw rpcRefusal(403, 'PERMISSION_DENIED', 'Insufficient authentication scopes');
    }
    const members = Object.hasOwn(serviceAccounts, email) ? serviceAccounts[email] : undefined;
    if (members === undefined) throw rpcRefusal(404, 'NOT_FOUND', 'Unknown service account');
    if (!members.includes(caller)) {
      throw rpcRefusal(403, 'PERMISSION_DENIED', "Permission 'iam.serviceAccounts.getAccessToken' denied");
    }
    const { scope, lifetime } = JSON.parse(body);
    const seconds = Number(/^(\d+)s$/.exec(lifetime)?.[1]);
    if (!(seconds <= MAX_LIFETIME_SECONDS)) throw rpcRefusal(400, 'INVALID_ARGUMENT', 'The lifetime is too long');
    const expireTime = new Date(Math.floor(clock.now() / 1000 + seconds) * 1000).toISOString().replace('.000', '');
    return { accessToken: issue(email, scope), expireTime };
  }

  async function answer(request: IncomingMessage): Promise<object> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    if (request.url === '/v1/token') return tokenExchange(new URLSearchParams(body));
    const [, email] =
      /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(request.url ?? '') ?? [];
    if (email === undefined) throw rpcRefusal(404, 'NOT_FOUND', 'Method not found');
    return generateAccessToken(email, request.headers.authorization, body);
  }

  listener.handle((request, response) => {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body));
    };
    answer(request).then(
      (body) => send(200, body),
      (error: unknown) => (error instanceof Refusal ? send(error.status, error.body) : send(500, {})),
    );
  });
  return { url: listener.url, issued };
}
