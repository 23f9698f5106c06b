import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { unverifiedClaims, verifyByIssuer } from './published-issuer.ts';

/** A federated identity credential of the application. */
export interface FederatedCredential {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

export interface EntraOptions {
  readonly tenantId: string;
  readonly clientId: string;
  readonly credentials: readonly FederatedCredential[];
  /** The resources of the tenant, as scopes name them without `/.default`. */
  readonly resources: readonly string[];
  readonly clock?: Clock;
}

/** A server that checks what Entra ID's token endpoint checks, and says no with its numbers. */
export interface FakeEntra {
  readonly url: string;
  /** The access tokens that it has given, with what each is for. */
  readonly issued: ReadonlyMap<string, { readonly clientId: string; readonly resource: string }>;
}

class Refusal extends Error {
  readonly status: number;
  readonly error: string;
  readonly number: number;

  constructor(status: number, error: string, number: number, message: string) {
    super(message);
    this.status = status;
    this.error = error;
    this.number = number;
  }
}

export async function startEntra(options: EntraOptions): Promise<FakeEntra> {
  const { tenantId, clientId, credentials, resources, clock = systemClock } = options;
  const issued = new Map<string, { clientId: string; resource: string }>();
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  onTestFinished(listener.close);

  async function tokenRequest(path: string, form: URLSearchParams): Promise<object> {
    if (path !== `/${tenantId}/oauth2/v2.0/token`) throw new Refusal(400, 'invalid_request', 90002, 'No such tenant');
    const param = (name: string): string => {
      const [value, ...more] = form.getAll(name);
      if (!value || more.length > 0) throw new Refusal(400, 'invalid_request', 900144, `One ${name} is needed`);
      return value;
    };
    if (param('grant_type') !== 'client_credentials') {
      throw new Refusal(400, 'unsupported_grant_type', 70003, 'Another grant type');
    }
    if (param('client_id') !== clientId) throw new Refusal(400, 'unauthorized_client', 700016, 'No such application');
    if (param('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
      throw new Refusal(401, 'invalid_client', 7000215, 'Another kind of credential');
    }
    await authenticate(param('client_assertion'));
    const resource = param('scope').replace(/\/\.default$/, '');
    if (resource === param('scope')) throw new Refusal(400, 'invalid_scope', 70011, 'No scope of a resource');
    if (!resources.includes(resource)) throw new Refusal(400, 'invalid_resource', 500011, 'No such resource');
    const token = `entra.${randomUUID()}`;
    issued.set(token, { clientId, resource });
    return { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token };
  }

  /** Issuer, subject and audience are compared byte by byte. */
  async function authenticate(assertion: string): Promise<void> {
    const claims = unverifiedClaims(assertion);
    const unfit = (number: number, message: string) => new Refusal(401, 'invalid_client', number, message);
    if (claims === undefined) throw unfit(50027, 'Not a JWT');
    if (credentials.length === 0) throw unfit(70021, 'No federated identity credential');
    const ofIssuer = credentials.filter(({ issuer }) => issuer === claims.iss);
    if (ofIssuer.length === 0) throw unfit(700211, `None for the issuer '${claims.iss}'`);
    const ofSubject = ofIssuer.filter(({ subject }) => subject === claims.sub);
    if (ofSubject.length === 0) throw unfit(700213, `None for the subject '${claims.sub}'`);
    const fitting = ofSubject.find(({ audience }) => [claims.aud].flat().includes(audience));
    if (fitting === undefined) throw unfit(700212, `None for the audience '${claims.aud}'`);
    const { issuer } = fitting;
    const verified = await verifyByIssuer(assertion, { issuer, algorithms: ['RS256'], now: clock.now() });
    if (!('problem' in verified)) return;
    switch (verified.problem) {
      case 'unreachable':
        throw unfit(50166, 'The external OIDC endpoint failed');
      case 'expired':
      case 'not yet valid':
        throw unfit(700024, 'The client assertion is not within its valid time range');
      default:
        throw unfit(50027, `The JWT is invalid: ${verified.problem}`);
    }
  }

  listener.handle((request, response) => {
    void readForm(request)
      .then((form) => tokenRequest(request.url ?? '', form))
      .then(
        (answer) => sendJson(response, 200, answer),
        (error: unknown) => sendJson(response, error instanceof Refusal ? error.status : 500, refusalBody(error)),
      );
  });
  return { url: listener.url, issued };
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

function refusalBody(error: unknown): object {
  const { error: code, number, message } = error instanceof Refusal ? error : new Refusal(500, 'server_error', 0, '');
  return {
    error: code,
    error_description: `AADSTS${number}: ${message}. Trace ID: t Correlation ID: c Timestamp: 2026-11-22 12:00:00Z`,
    error_codes: [number],
    timestamp: '2026-11-22 12:00:00Z',
    trace_id: randomUUID(),
    correlation_id: randomUUID(),
  };
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
