import { onTestFinished } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createSessionBroker, type SessionBroker } from '../../src/broker/session-broker.ts';
import { createSessions, type Session, type Sessions } from '../../src/broker/sessions.ts';
import { createEndpointsApp } from '../../src/http/endpoints/endpoints-app.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { compilePolicies, type PolicySet } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createFakeBroker, type FakeBroker } from '../fakes/broker.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { ask, type HttpAnswer, type HttpQuestion } from './http.ts';

export const TENANT = '11111111-2222-3333-4444-555555555555';
export const API_CLIENT = 'aaaaaaaa-0000-4000-8000-000000000001';
export const OTHER_CLIENT = 'aaaaaaaa-0000-4000-8000-000000000002';
export const LEDGER_CLIENT = 'bbbbbbbb-0000-4000-8000-000000000001';
export const STORAGE = 'https://storage.azure.com';
export const PROVIDER = 'projects/123456789/locations/global/workloadIdentityPools/pool-one/providers/spire';
export const PROVIDER_AUDIENCE = `https://iam.googleapis.com/${PROVIDER}`;

/** Two components; what is only the ledger's are `books`, `ledger-blobs` for the vault, and `ledger-files`. */
export const API_POLICY = `
component: api
spiffeId: spiffe://example.org/api
selectors: [wasmcloud:component:api]
audiences: ['${PROVIDER_AUDIENCE}']
grants:
  models: { aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1, duration: 15m } }
  blobs: { azure: { tenantId: ${TENANT}, clientId: ${API_CLIENT}, scope: '${STORAGE}/.default' } }
  graph-one: { azure: { tenantId: ${TENANT}, clientId: ${API_CLIENT}, scope: 'https://graph.example.org/.default' } }
  graph-two: { azure: { tenantId: ${TENANT}, clientId: ${OTHER_CLIENT}, scope: 'https://graph.example.org/.default' } }
  files: { gcp: { provider: ${PROVIDER} } }
  held: { gcp: { provider: ${PROVIDER} }, audience: not-among-the-audiences }
`;

export const LEDGER_POLICY = `
component: ledger
spiffeId: spiffe://example.org/ledger
selectors: [wasmcloud:component:ledger]
audiences: ['${PROVIDER_AUDIENCE}']
grants:
  books: { aws: { roleArn: 'arn:aws:iam::111122223333:role/books', region: us-east-1 } }
  ledger-blobs: { azure: { tenantId: ${TENANT}, clientId: ${LEDGER_CLIENT}, scope: 'https://vault.azure.net/.default' } }
  ledger-files: { gcp: { provider: ${PROVIDER} } }
`;

export function compile(...documents: readonly string[]): PolicySet {
  return compilePolicies(
    documents.map((text, index) => ({ file: `policy-${index}.yaml`, text })),
    TrustDomain.parse('example.org'),
  );
}

/** Sessions and the broker for them, between the test's policies, its clock and what answers. */
export interface SessionWorld<B extends Broker> {
  readonly broker: B;
  readonly sessions: Sessions;
  readonly sessionBroker: SessionBroker;
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  policies(): PolicySet;
  setPolicies(...documents: string[]): void;
  /** Opens a session, for `api` and all its grants where nothing else is said. */
  open(options?: { component?: string; grant?: string; ttlMs?: number }): Promise<{ session: Session; secret: string }>;
}

export const TTL_MS = 900_000;

export function startSessionWorld(options: { maxSessions?: number } = {}): SessionWorld<FakeBroker> {
  return sessionWorldOf(createFakeBroker(), createFakeClock(), options);
}

export function sessionWorldOf<B extends Broker>(
  broker: B,
  clock: FakeClock,
  { maxSessions = 100 }: { maxSessions?: number } = {},
): SessionWorld<B> {
  const log = createMemoryLog();
  let current = compile(API_POLICY, LEDGER_POLICY);
  const policies = (): PolicySet => current;
  const sessions = createSessions({ policies, clock, logger: log.logger, maxSessions });
  onTestFinished(sessions.close);
  return {
    broker,
    sessions,
    sessionBroker: createSessionBroker({ broker, sessions, policies, clock, logger: log.logger }),
    clock,
    log,
    policies,
    setPolicies: (...documents) => {
      current = compile(...documents);
    },
    async open({ component = 'api', grant, ttlMs = TTL_MS } = {}) {
      const { session, secret } = await sessions.open({ caller: { component }, grant, ttlMs });
      return { session, secret: secret.reveal() };
    },
  };
}

/** The endpoints on a real listener. */
export interface EndpointWorld<B extends Broker> extends SessionWorld<B> {
  readonly url: string;
  get(path: string, headers?: HttpQuestion['headers']): Promise<HttpAnswer>;
  aws(secret: string, grant: string): Promise<HttpAnswer>;
  azure(secret: string, query: string): Promise<HttpAnswer>;
  gcp(secret: string, grant: string): Promise<HttpAnswer>;
}

export async function startEndpoints(options: { requestsPerSecond?: number } = {}): Promise<EndpointWorld<FakeBroker>> {
  return endpointsOf(startSessionWorld(), options);
}

export async function endpointsOf<B extends Broker>(
  world: SessionWorld<B>,
  { requestsPerSecond = 10_000 }: { requestsPerSecond?: number } = {},
): Promise<EndpointWorld<B>> {
  const { sessions, sessionBroker, clock, log } = world;
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  onTestFinished(listener.close);
  const { url } = listener;
  listener.handle(
    createEndpointsApp({
      sessions,
      broker: sessionBroker,
      clock,
      logger: log.logger,
      url,
      requestsPerSecond,
      maxSessions: 100,
    }),
  );
  const get: EndpointWorld<B>['get'] = (path, headers = {}) => ask(url, { path, headers });
  return {
    ...world,
    url,
    get,
    aws: (secret, grant) => get(`/aws/${grant}`, { Authorization: secret }),
    azure: (secret, query) => get(`/azure/token?${query}`, { 'X-IDENTITY-HEADER': secret }),
    gcp: (secret, grant) => get(`/gcp/${grant}/subject-token`, { Authorization: `Bearer ${secret}` }),
  };
}

export const AZURE_VERSION = 'api-version=2019-08-01';

/** The body of a refusal of any of the three, as far as all of them say the same: its code. */
export function codeOf({ text }: HttpAnswer): string {
  const { Code, code, message } = JSON.parse(text);
  return Code ?? code ?? String(message).split(':', 1)[0];
}
