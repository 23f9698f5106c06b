import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Config } from '../../src/config/config.ts';
import { parseIssuer } from '../../src/config/issuer.ts';
import { tokenEndpointConfig } from '../../src/config/token-endpoint.ts';
import { type Authority, createAuthority } from '../../src/dev/authority.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { createService, type Service } from '../../src/service.ts';
import type { Audience } from '../../src/spiffe/audience.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { type FetchAnswer, type FetchCall, type ScriptedAgent, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { credentialsXml, type ScriptedSts, startScriptedSts } from '../fakes/scripted-sts.ts';
import { type Canary, createCanary } from './canary.ts';
import type { TestCertificate } from './certificates.ts';
import { loopbackListeners } from './listeners.ts';
import { folderOf } from './policy-folders.ts';

const TRUST_DOMAIN = TrustDomain.parse('example.org');
export const API = 'spiffe://example.org/team/api';
export const API_ID = { trust_domain: 'example.org', path: '/team/api' };

export const POLICY = `component: api
spiffeId: ${API}
selectors: [wasmcloud:component:api]
wasi: [clocks, random, stdio]
audiences: [a.example.org, b.example.org, sts.amazonaws.com]
grants:
  models: { aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1, duration: 15m } }
  others: { aws: { roleArn: 'arn:aws:iam::111122223333:role/others', region: us-east-1, duration: 15m } }
`;

/** A SPIRE agent and an STS that answer well until a test says otherwise; all they hand out is planted in the canary. */
export interface CanaryUpstreams {
  readonly canary: Canary;
  readonly authority: Authority;
  readonly agent: ScriptedAgent;
  readonly sts: ScriptedSts;
  mint(options?: { subject?: string; audience?: Audience; ttl?: number }): Promise<string>;
  /** A good answer of STS, with new credentials. */
  grantedXml(): string;
}

export async function startCanaryUpstreams(clock: Clock = systemClock): Promise<CanaryUpstreams> {
  const canary = createCanary();
  const [agent, sts, authority] = await Promise.all([
    startScriptedAgent(),
    startScriptedSts(),
    createAuthority({
      clock: { now: clock.now, after: () => ({ cancel: () => {} }) },
      keyType: 'ec-p256',
      jwtIssuer: 'https://oidc.example.org',
      keyTtlMs: 24 * 3600_000,
    }),
  ]);
  const upstreams: CanaryUpstreams = {
    canary,
    agent,
    sts,
    authority,
    async mint({ subject = API, audience = ['a.example.org'] as const, ttl = 300 } = {}) {
      return canary.plant((await authority.mint({ spiffeId: SpiffeId.parse(subject), audience, ttl })).token);
    },
    grantedXml: () =>
      credentialsXml({
        AccessKeyId: canary.plant(`ASIA${randomBytes(8).toString('hex').toUpperCase()}`),
        SecretAccessKey: canary.plant(randomBytes(30).toString('base64')),
        SessionToken: canary.plant(randomBytes(264).toString('base64')),
        Expiration: new Date(clock.now() + 900_000).toISOString(),
      }),
  };
  agent.onStream = (stream) => stream.send({ [TRUST_DOMAIN.id]: authority.jwkSet() });
  agent.onFetch = async (call) => ({
    svids: [{ id: API_ID, token: await upstreams.mint({ audience: audienceOf(call) }) }],
  });
  sts.onRequest = () => ({ status: 200, body: upstreams.grantedXml() });
  return upstreams;
}

/** What a FetchJWTSVIDs call asks for. */
export function audienceOf({ request }: FetchCall): Audience {
  return Object(request).audience;
}

/** The agent's answer with this token in it, whatever it is. */
export function svidAnswer(token: string, id: { trust_domain: string; path: string } = API_ID): FetchAnswer {
  return { svids: [{ token, id }] };
}

/** The whole service, as `svidx serve` wires it, between those upstreams. */
export interface CanaryWorld extends CanaryUpstreams {
  readonly service: Service;
  readonly log: MemoryLog;
  readonly policyFolder: string;
  /** Moves the time on that the service and the agent see. Milliseconds. */
  skip(ms: number): void;
}

export interface CanaryWorldOptions {
  readonly stsUrl?: string;
  /** Instead of `POLICY`. */
  readonly policy?: string;
  /** Bundles of federated trust domains, JWK Sets by the trust domain's SPIFFE ID. */
  readonly federated?: Readonly<Record<string, string>>;
  /** Opens the token endpoint. */
  readonly tokenEndpoint?: true;
  /** A certificate for `localhost`: the issuer is then there, and can be asked by its own URL. */
  readonly tls?: TestCertificate;
}

export async function startCanaryWorld(options: CanaryWorldOptions = {}): Promise<CanaryWorld> {
  let skipped = 0;
  const clock: Clock = {
    now: () => systemClock.now() + skipped,
    // The waits between attempts take no time; timeouts and polls do.
    after: (ms, callback) => systemClock.after(ms < 2_000 ? 0 : ms, callback),
  };
  const upstreams = await startCanaryUpstreams(clock);
  const { agent, authority } = upstreams;
  agent.onStream = (stream) => stream.send({ ...options.federated, [TRUST_DOMAIN.id]: authority.jwkSet() });
  const log = createMemoryLog();
  const { tls } = options;
  const listener =
    tls &&
    (await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock, {
      current: () => ({ ...tls, notAfter: 0 }),
      onChange: () => {},
    }));
  const issuer = parseIssuer(listener?.url.replace('127.0.0.1', 'localhost') ?? 'https://oidc.example.org');
  if ('problem' in issuer) throw new Error(issuer.problem);
  const policyFolder = await folderOf({ 'api.yaml': options.policy ?? POLICY });
  const config: Config = {
    trustDomain: TRUST_DOMAIN,
    issuer,
    ...loopbackListeners(issuer),
    bundle: { from: 'delegatedIdentity', socket: upstreams.agent.socketPath },
    spireSocket: upstreams.agent.socketPath,
    spireTimeoutMs: 5_000,
    brokerSocket: join(policyFolder, '../broker.sock'),
    cacheSize: 100,
    policyFolder,
    stsEndpoint: options.stsUrl ?? upstreams.sts.url,
    logLevel: 'trace',
    endpoints: { listen: { host: '127.0.0.1', port: 0 }, requestsPerSecond: 1_000 },
    tokenEndpoint: options.tokenEndpoint && tokenEndpointConfig(issuer),
  };
  const service = await createService(config, {
    clock,
    random: () => 0.5,
    logger: log.logger,
    ...(listener === undefined ? {} : { listener }),
  });
  onTestFinished(service.close);
  await service.ready();
  return {
    ...upstreams,
    service,
    log,
    policyFolder,
    skip(ms) {
      skipped += ms;
    },
  };
}
