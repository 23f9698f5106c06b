import type { Clock } from './base/clock.ts';
import type { Logger } from './base/logger.ts';
import { type Broker, createBroker } from './broker/broker.ts';
import { startBundleSource } from './bundle-source.ts';
import type { Config, IssuerConfig } from './config/config.ts';
import { watchPolicies } from './config/policy-folder.ts';
import { createExchangers } from './exchangers.ts';
import { createBrokerApp } from './http/broker-app.ts';
import { createIssuerApp } from './http/issuer-app.ts';
import { type Listener, listenOnPrivateSocket, listenOnTcp } from './http/listener.ts';
import type { JwtBundleSource, JwtSvidSource, RunningJwtBundleSource } from './identity/source.ts';
import type { TrustDomain } from './spiffe/trust-domain.ts';

/** What a service uses of the world around it. */
export interface ServiceDeps {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** A TCP listener that is already there, instead of one at `config.listen`; closed with the service. */
  readonly listener?: Listener;
}

/** The issuer, with or without a broker beside it. */
export interface IssuerService {
  readonly broker: Broker | null;
  /** Where the issuer listens and where the private socket is. */
  readonly urls: { readonly http: string; readonly broker: string | null };
  /** Resolves when the first key can be published, so that the issuer answers. */
  ready(): Promise<void>;
  /** Stops taking requests, lets those under way finish, lets go of everything. May be called again. */
  close(): Promise<void>;
}

export interface Service extends IssuerService {
  readonly broker: Broker;
  readonly urls: { readonly http: string; readonly broker: string };
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
  const closers: Closers = [];
  const close = async (): Promise<void> => {
    // Last in, first out: the listeners go before what they use.
    for (const closer of closers.splice(0).reverse()) await closer();
  };

  try {
    const bundles = await startBundleSource(config, deps);
    closers.push(bundles.close);

    const tcp = deps.listener ?? (await listenOnTcp(config.listen, deps.clock));
    closers.push(tcp.close);
    tcp.handle(createIssuerApp({ issuer: config.issuer, trustDomain: config.trustDomain, bundles }));

    const served = 'brokerSocket' in config ? await serveBroker(config, deps, bundles, closers) : null;

    return {
      broker: served?.broker ?? null,
      urls: { http: tcp.url, broker: served?.url ?? null },
      ready: () => firstKeys(bundles, config.trustDomain),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Policies, identity, exchange, and the broker that joins them, at its private socket. */
async function serveBroker(
  config: Config,
  { clock, random, logger }: ServiceDeps,
  bundles: RunningJwtBundleSource,
  closers: Closers,
): Promise<{ readonly broker: Broker; readonly url: string }> {
  const { trustDomain, spireTimeoutMs: timeoutMs } = config;
  const policies = await watchPolicies({ folder: config.policyFolder, trustDomain, clock, logger });
  closers.push(policies.close);

  const { createDelegatedIdentityApi } = await import('./identity/delegated-identity/api.ts');
  const { createDelegatedJwtSvidSource } = await import('./identity/delegated-identity/jwt-svid-source.ts');
  const spire = createDelegatedIdentityApi(config.spireSocket);
  closers.push(spire.close);
  const svids = createDelegatedJwtSvidSource({ api: spire, clock, timeoutMs });

  const broker = createBroker({
    policies: policies.current,
    svids: publishingKeysOf(svids, bundles),
    exchanger: createExchangers(config, { clock, random }),
    clock,
    random,
    logger,
    cacheSize: config.cacheSize,
  });

  const socket = await listenOnPrivateSocket(config.brokerSocket, clock);
  closers.push(socket.close);
  socket.handle(createBrokerApp({ broker, logger }));
  return { broker, url: socket.url };
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

function firstKeys(bundles: JwtBundleSource, trustDomain: TrustDomain): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (bundles.get(trustDomain)?.authorities.length) {
        unsubscribe();
        resolve();
      }
    };
    const unsubscribe = bundles.onChange(check);
    check();
  });
}
