import type { Clock } from './base/clock.ts';
import type { Logger } from './base/logger.ts';
import { type Broker, createBroker } from './broker/broker.ts';
import type { Config } from './config/config.ts';
import { type WatchedPolicies, watchPolicies } from './config/policy-folder.ts';
import { createExchangers } from './exchangers.ts';
import { createBrokerApp } from './http/broker-app.ts';
import { createIssuerApp } from './http/issuer-app.ts';
import { type Listener, listenOnPrivateSocket, listenOnTcp } from './http/listener.ts';
import { createDelegatedIdentityApi } from './identity/delegated-identity/api.ts';
import { createDelegatedJwtBundleSource } from './identity/delegated-identity/jwt-bundle-source.ts';
import { createDelegatedJwtSvidSource } from './identity/delegated-identity/jwt-svid-source.ts';
import type { JwtBundleSource } from './identity/source.ts';
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

export interface Service {
  readonly broker: Broker;
  /** Where the issuer listens and where the private socket is. */
  readonly urls: { readonly http: string; readonly broker: string };
  /** Resolves when the first key can be published, so that the issuer answers. */
  ready(): Promise<void>;
  /** Stops taking requests, lets those under way finish, lets go of everything. May be called again. */
  close(): Promise<void>;
}

/**
 * The composition root: wires the parts in the order of the flow and starts them.
 * @throws SvidxError `policy_invalid` or `config_invalid`; nothing is left running then
 */
export async function createService(config: Config, deps: ServiceDeps): Promise<Service> {
  const { clock, random, logger } = deps;
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    // Last in, first out: the listeners go before what they use.
    for (const closer of closers.splice(0).reverse()) await closer();
  };

  try {
    const policies: WatchedPolicies = await watchPolicies({
      folder: config.policyFolder,
      trustDomain: config.trustDomain,
      clock,
      logger,
    });
    closers.push(policies.close);

    const spire = createDelegatedIdentityApi(config.spireSocket);
    closers.push(spire.close);
    const svids = createDelegatedJwtSvidSource({ api: spire, clock, timeoutMs: config.spireTimeoutMs });
    const bundles = createDelegatedJwtBundleSource({
      api: spire,
      clock,
      random,
      logger,
      timeoutMs: config.spireTimeoutMs,
    });
    closers.push(bundles.close);

    const broker = createBroker({
      policies: policies.current,
      svids,
      exchanger: createExchangers(config, { clock, random }),
      clock,
      random,
      logger,
      cacheSize: config.cacheSize,
    });

    const tcp = deps.listener ?? (await listenOnTcp(config.listen, clock));
    closers.push(tcp.close);
    tcp.handle(createIssuerApp({ issuer: config.issuer, trustDomain: config.trustDomain, bundles }));

    const socket = await listenOnPrivateSocket(config.brokerSocket, clock);
    closers.push(socket.close);
    socket.handle(createBrokerApp({ broker, logger }));

    return {
      broker,
      urls: { http: tcp.url, broker: socket.url },
      ready: () => firstKeys(bundles, config.trustDomain),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
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
