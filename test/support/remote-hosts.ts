import { Agent, type AgentOptions } from 'node:https';
import { onTestFinished } from 'vitest';
import { createHosting } from '../../src/broker/hosting.ts';
import type { TlsPair } from '../../src/config/tls-files.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { createRemoteHostsApp } from '../../src/http/remote-hosts/remote-hosts-app.ts';
import type { RemoteHost } from '../../src/policy/evaluate.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import type { X509Bundle } from '../../src/spiffe/x509-bundle.ts';
import { openBroker, type TestBroker } from './broker.ts';
import { createCertificate, type TestCertificate } from './certificates.ts';
import { ask, type HttpAnswer, type HttpQuestion } from './http.ts';
import { API_POLICY, LEDGER_POLICY, type SessionWorld, sessionWorldOf } from './sdk-endpoints.ts';
import {
  createAuthorityCertificate,
  createSvidCertificate,
  type LeafParts,
  x509Bundle,
  x509BundleSet,
} from './x509-svids.ts';

const TEAM_POLICY = API_POLICY.replace('audiences: [', 'audiences: [a.example.org, ');

export const HOST_A = host('spiffe://example.org/host/a', 'api');
export const HOST_B = host('spiffe://example.org/host/b', 'api', 'ledger');
export const HOST_P = host('spiffe://partner.example/host', 'ledger');

export function host(spiffeId: string, ...components: string[]): RemoteHost {
  return { spiffeId: SpiffeId.parse(spiffeId), components };
}

type Changes = Parameters<typeof createSvidCertificate>[2];

/** A listener for remote hosts with real TLS, a real broker behind it, and the bundles in the test's hands. */
export interface RemoteHostsWorld extends SessionWorld<TestBroker['broker']> {
  readonly url: string;
  readonly port: number;
  /** Of example.org, in force when it starts. */
  readonly authority: TestCertificate;
  /** What the server's certificate is trusted through. */
  readonly ca: string;
  counts(): { mints: number; exchanges: number };
  /** Every line that was logged, by the broker too. */
  logged(): string;
  audits(): Record<string, unknown>[];
  setBundles(...bundles: readonly X509Bundle[]): void;
  /** Puts another certificate of the server in use. */
  changeServerCertificate(): void;
  /** An X509-SVID of host a, valid around the clock's own now. */
  svid(issuer?: TestCertificate, parts?: LeafParts, changes?: Changes): TestCertificate;
  authorityOf(options?: Parameters<typeof createAuthorityCertificate>[0]): TestCertificate;
  /** Asks on a connection of its own, or on that of an agent; without a certificate where there is none. */
  ask(client: TestCertificate | Agent | undefined, question: Omit<HttpQuestion, 'tls'>): Promise<HttpAnswer>;
  post(client: TestCertificate | Agent | undefined, path: string, body: object): Promise<HttpAnswer>;
  /** One connection, kept alive. */
  connection(client: TestCertificate, options?: AgentOptions): Agent;
}

export async function startRemoteHosts(
  options: { allow?: readonly RemoteHost[]; maxSessions?: number } = {},
): Promise<RemoteHostsWorld> {
  const opened = await openBroker({ policies: [TEAM_POLICY, LEDGER_POLICY] });
  const { clock } = opened;
  const world = sessionWorldOf(opened.broker, clock, options);
  const around = () => ({ notBefore: new Date(clock.now() - 60_000), notAfter: new Date(clock.now() + 3600_000) });
  const authorityOf: RemoteHostsWorld['authorityOf'] = (changes) =>
    createAuthorityCertificate({ ...around(), ...changes });
  const authority = authorityOf();
  let bundles: readonly X509Bundle[] = [x509Bundle('example.org', authority)];

  const serverAuthority = createCertificate({ hosts: [] });
  const createPair = (): TlsPair => ({
    ...createCertificate({ hosts: ['127.0.0.1', 'localhost'], issuer: serverAuthority }),
    notAfter: 0,
  });
  const pair = createPair();
  let changed = (_pair: TlsPair): void => {};
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock, {
    current: () => pair,
    onChange: (listening) => {
      changed = listening;
    },
    clientCertificates: true,
  });
  onTestFinished(listener.close);
  const { url } = listener;
  listener.handle(
    createRemoteHostsApp({
      ...world,
      broker: opened.broker,
      hosting: createHosting({ policies: world.policies, clock, logger: world.log.logger }),
      bundles: { get: (wanted) => x509BundleSet(...bundles).get(wanted), all: () => bundles },
      allow: options.allow ?? [HOST_A, HOST_B, HOST_P],
      logger: world.log.logger,
      url,
      requestsPerSecond: 10_000,
      maxSessions: 100,
    }),
  );

  const remote: RemoteHostsWorld = {
    ...world,
    url,
    port: Number(new URL(url).port),
    authority,
    ca: serverAuthority.cert,
    counts: opened.counts,
    logged: () => [...world.log.lines, ...opened.log.lines].join('\n'),
    audits: () => [...world.log.audits(), ...opened.log.audits()],
    setBundles(...next) {
      bundles = next;
    },
    changeServerCertificate: () => changed(createPair()),
    svid: (issuer = authority, parts = {}, changes = {}) =>
      createSvidCertificate(issuer, parts, { ...around(), ...changes }),
    authorityOf,
    ask(client, question) {
      const tls =
        client instanceof Agent ? { agent: client } : { ca: serverAuthority.cert, servername: 'localhost', ...client };
      return ask(url, { ...question, tls });
    },
    post: (client, path, body) =>
      remote.ask(client, {
        method: 'POST',
        path,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    connection(client, agentOptions = {}) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: serverAuthority.cert, ...client, ...agentOptions });
      onTestFinished(() => agent.destroy());
      return agent;
    },
  };
  return remote;
}

/** The SPIFFE IDs of the parts of a leaf. */
export function uri(...uris: string[]): LeafParts {
  return { uris };
}

export function bodyOf({ status, text }: HttpAnswer): Record<string, unknown> {
  return { status, ...JSON.parse(text) };
}
