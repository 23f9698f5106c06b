import { dirname } from 'node:path';
import type { Clock } from './base/clock.ts';
import { isLoopbackHost } from './base/http-url.ts';
import type { Logger } from './base/logger.ts';
import { type Broker, createBroker } from './broker/broker.ts';
import { createHosting, type Hosting } from './broker/hosting.ts';
import { createTokenFiles } from './broker/token-files.ts';
import { startBundleSource } from './bundle-source.ts';
import { warnOfClosedTokenEndpoint } from './closed-token-endpoint.ts';
import type { Config, IssuerConfig } from './config/config.ts';
import { watchPolicies } from './config/policy-folder.ts';
import { watchTlsFiles } from './config/tls-files.ts';
import { createExchangers } from './exchangers.ts';
import { firstKeys } from './first-keys.ts';
import { createBrokerApp } from './http/broker-app.ts';
import { createComponentApp } from './http/component-app.ts';
import { createHealthApp, type HealthParts } from './http/health-app.ts';
import { createIssuerApp } from './http/issuer-app.ts';
import { type Listener, listenOnPrivateSocket, listenOnTcp } from './http/listener.ts';
import type { TokenEndpoint } from './http/token-endpoint.ts';
import { createTokenFileApp } from './http/token-file-app.ts';
import { createWorkloadApp } from './http/workload-app.ts';
import { createObservedJwtSvidSource } from './identity/observed-svid-source.ts';
import type { JwtSvidSource, RunningJwtBundleSource } from './identity/source.ts';
import type { PolicySet } from './policy/policy-set.ts';
import { serveRemoteHosts } from './remote-hosts.ts';
import { serveSdkEndpoints } from './sdk-endpoints.ts';

/** What a service uses of the world around it. */
export interface ServiceDeps {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** A TCP listener that is already there, instead of one at `config.listen`; closed with the service. */
  readonly listener?: Listener;
  /** What else is shown in the health checks: parts that run beside the service, and components that are hosted. */
  readonly health?: { readonly parts: HealthParts; readonly components: HealthParts };
}

/** The issuer, with or without a broker beside it. */
export interface IssuerService {
  readonly broker: Broker | null;
  /** What the components of the policies may do in a host. */
  readonly hosting: Hosting | null;
  /** The policy set in force now. */
  readonly policies: (() => PolicySet) | null;
  /** Where the issuer listens, where the private socket is, and where health checks, SDKs and remote hosts have listeners of their own. */
  readonly urls: {
    readonly http: string;
    readonly broker: string | null;
    readonly health?: string;
    readonly endpoints?: string;
    readonly remoteHosts?: string;
  };
  /** Resolves when the first key can be published, so that the issuer answers. */
  ready(): Promise<void>;
  /** Stops taking requests, lets those under way finish, lets go of everything. May be called again. */
  close(): Promise<void>;
}

export interface Service extends IssuerService {
  readonly broker: Broker;
  readonly hosting: Hosting;
  readonly policies: () => PolicySet;
  readonly urls: IssuerService['urls'] & { readonly broker: string };
}

/** What is let go of at the end, in the order in which it was taken. */
type Closers = (() => Promise<void> | void)[];

/**
 * The composition root: wires the parts in the order of the flow and starts them. An {@link IssuerConfig} gives the issuer
 * alone: no policies, no private socket, nothing of SPIRE's admin socket but what the keys may come from.
 * @throws SvidxError `policy_invalid` or `config_invalid`; nothing is left running then
 */
export async function createService(config: Config, deps: ServiceDeps): Promise<Service>;
export async function createService(config: Config | IssuerConfig, deps: ServiceDeps): Promise<IssuerService>;
export async function createService(config: Config | IssuerConfig, deps: ServiceDeps): Promise<IssuerService> {
  const { clock, logger } = deps;
  const closers: Closers = [];
  const close = async (): Promise<void> => {
    // Last in, first out: the listeners go before what they use.
    for (const closer of closers.splice(0).reverse()) await closer();
  };

  try {
    const bundles = await startBundleSource(config, deps);
    closers.push(bundles.close);

    const tls = config.tls && (await watchTlsFiles({ files: config.tls, clock, logger }));
    if (tls !== undefined) closers.push(tls.close);
    const ofIssuer: HealthParts = {
      bundles: bundles.health,
      ...(tls === undefined ? {} : { tls: tls.health }),
      ...deps.health?.parts,
    };

    const served = 'brokerSocket' in config ? await serveBroker(config, deps, bundles, closers, ofIssuer) : null;
    const parts = served?.parts ?? ofIssuer;
    const components = deps.health?.components;

    const tcp = deps.listener ?? (await listenOnTcp(config.listen, clock, tls));
    closers.push(tcp.close);
    const issuerApp = createIssuerApp({
      ...config,
      loopback: isLoopbackHost(config.listen.host),
      bundles,
      clock,
      tokenEndpoint: served?.tokenEndpoint,
    });
    tcp.handle(createHealthApp({ parts, components, clock, reasons: false }, issuerApp));

    const health = config.healthListen && (await listenOnTcp(config.healthListen, clock));
    if (health !== undefined) closers.push(health.close);
    health?.handle(createHealthApp({ parts, components, clock, reasons: true }));

    return {
      broker: served?.broker ?? null,
      hosting: served?.hosting ?? null,
      policies: served?.policies ?? null,
      urls: {
        http: tcp.url,
        broker: served?.url ?? null,
        ...(health === undefined ? {} : { health: health.url }),
        ...(served?.endpoints === undefined ? {} : { endpoints: served.endpoints }),
        ...(served?.remoteHosts === undefined ? {} : { remoteHosts: served.remoteHosts }),
      },
      ready: () => firstKeys(bundles, config.trustDomain),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface ServedBroker {
  readonly broker: Broker;
  readonly hosting: Hosting;
  readonly policies: () => PolicySet;
  /** Of the private socket. */
  readonly url: string;
  readonly parts: HealthParts;
  /** For the issuer's listener; `undefined` where it is not asked for. */
  readonly tokenEndpoint: TokenEndpoint | undefined;
  /** Where SDKs ask. */
  readonly endpoints: string | undefined;
  /** Where hosts on other machines ask. */
  readonly remoteHosts: string | undefined;
}

/** Policies, identity, exchange, and the broker that joins them, at its private socket. */
async function serveBroker(
  config: Config,
  { clock, random, logger, health }: ServiceDeps,
  bundles: RunningJwtBundleSource,
  closers: Closers,
  otherParts: HealthParts,
): Promise<ServedBroker> {
  const { trustDomain, spireTimeoutMs: timeoutMs } = config;
  const policies = await watchPolicies({
    folder: config.policyFolder,
    trustDomain,
    clock,
    logger,
    onSet: (set) => {
      if (config.tokenEndpoint === undefined) warnOfClosedTokenEndpoint(set, logger);
    },
  });
  closers.push(policies.close);

  const { createDelegatedIdentityApi } = await import('./identity/delegated-identity/api.ts');
  const { createDelegatedJwtSvidSource } = await import('./identity/delegated-identity/jwt-svid-source.ts');
  const spire = createDelegatedIdentityApi(config.spireSocket);
  closers.push(spire.close);
  const svids = createObservedJwtSvidSource(createDelegatedJwtSvidSource({ api: spire, clock, timeoutMs }), clock);

  const broker = createBroker({
    policies: policies.current,
    svids: publishingKeysOf(svids, bundles),
    exchanger: createExchangers(config, { clock, random, logger }),
    clock,
    random,
    logger,
    cacheSize: config.cacheSize,
  });

  const hosting = createHosting({ policies: policies.current, clock, logger });

  const socket = await listenOnPrivateSocket(config.brokerSocket, clock);
  closers.push(socket.close);
  const { createWorkloadSockets } = await import('./workload-api/sockets.ts');
  const { removeStaleSockets } = await import('./workload-api/stale-sockets.ts');
  await removeStaleSockets({ privateSocket: config.brokerSocket, clock, logger });
  const sockets = createWorkloadSockets({
    trustDomain,
    broker,
    policies: policies.current,
    bundles,
    clock,
    logger,
    folder: dirname(config.brokerSocket),
  });
  closers.push(sockets.close);
  const {
    url: endpoints,
    sessionsApp,
    ...inSessions
  } = await serveSdkEndpoints({ config: config.endpoints, broker, policies: policies.current, clock, logger }, closers);
  const remoteHosts =
    config.remoteHosts &&
    (await serveRemoteHosts(
      config.remoteHosts,
      { config, broker, hosting, ...inSessions, clock, random, logger },
      closers,
    ));
  const parts = { ...otherParts, policies: policies.health, spire: svids.health, ...remoteHosts?.parts };
  const tokenFiles = createTokenFiles({ broker, policies: policies.current, clock, logger });
  const app = createWorkloadApp(
    { sockets, logger },
    createTokenFileApp(
      { tokenFiles, logger },
      createComponentApp({ hosting, logger }, sessionsApp(createBrokerApp({ broker, logger }))),
    ),
  );
  const components = health?.components;
  socket.handle(createHealthApp({ parts, components, clock, reasons: true }, app));
  return {
    broker,
    hosting,
    policies: policies.current,
    url: socket.url,
    endpoints,
    remoteHosts: remoteHosts?.url,
    parts,
    tokenEndpoint: await openTokenEndpoint(),
  };

  async function openTokenEndpoint(): Promise<TokenEndpoint | undefined> {
    const { issuer, tokenEndpoint } = config;
    if (tokenEndpoint === undefined) return undefined;
    const { createTokenRedeemer } = await import('./broker/token-redeemer.ts');
    const { createTokenEndpoint } = await import('./http/token-endpoint.ts');
    const { audience } = tokenEndpoint;
    const redeemer = createTokenRedeemer({
      broker,
      policies: policies.current,
      bundles,
      trustDomain,
      audience,
      clock,
      logger,
    });
    return createTokenEndpoint({ issuer, config: tokenEndpoint, redeemer, clock, logger });
  }
}

/**
 * These JWT-SVIDs, each with its key on the way to being published. After a forced rotation, or an agent's return, a token
 * may come before the bundle with its key, and whoever it is for would refuse it.
 */
function publishingKeysOf(svids: JwtSvidSource, bundles: RunningJwtBundleSource): JwtSvidSource {
  return {
    async fetchJwtSvid(subject, audience, signal) {
      const svid = await svids.fetchJwtSvid(subject, audience, signal);
      if (!bundles.get(subject.spiffeId.trustDomain)?.candidates(svid.keyId).length) bundles.hurry();
      return svid;
    },
  };
}
