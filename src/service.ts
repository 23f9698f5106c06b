import type { Clock } from './base/clock.ts';
import type { Logger } from './base/logger.ts';
import { type Broker, createBroker } from './broker/broker.ts';
import { bundleHealth, firstKeys } from './bundle-keys.ts';
import { createBundleSource } from './bundle-source.ts';
import type { Config } from './config/config.ts';
import { isLoopbackHost } from './config/listen-address.ts';
import { type WatchedPolicies, watchPolicies } from './config/policy-folder.ts';
import { type WatchedTlsFiles, watchTlsFiles } from './config/tls-files.ts';
import { createExchangerRegistry } from './exchange/registry.ts';
import { createBrokerApp } from './http/broker-app.ts';
import { createHealthApp, type HealthParts } from './http/health-app.ts';
import { createIssuerApp } from './http/issuer-app.ts';
import { type Listener, listenOnPrivateSocket, listenOnTcp } from './http/listener.ts';
import { createDelegatedIdentityApi } from './identity/delegated-identity/api.ts';
import { createDelegatedJwtSvidSource } from './identity/delegated-identity/jwt-svid-source.ts';
import { createObservedJwtSvidSource } from './identity/observed-svid-source.ts';

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
  /** Where the issuer listens, where the private socket is, and where health checks have a listener of their own. */
  readonly urls: { readonly http: string; readonly broker: string; readonly health?: string };
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
    const svids = createObservedJwtSvidSource(
      createDelegatedJwtSvidSource({ api: spire, clock, timeoutMs: config.spireTimeoutMs }),
      clock,
    );
    const bundles = await createBundleSource(config, { clock, random, logger });
    closers.push(bundles.close);

    const exchanger = createExchangerRegistry({
      aws: async () => {
        const { createAwsExchanger } = await import('./exchange/aws.ts');
        return createAwsExchanger({ clock, random, endpoint: config.stsEndpoint });
      },
    });
    const broker = createBroker({
      policies: policies.current,
      svids,
      exchanger,
      clock,
      random,
      logger,
      cacheSize: config.cacheSize,
    });

    const tls: WatchedTlsFiles | undefined = config.tls && (await watchTlsFiles({ files: config.tls, clock, logger }));
    if (tls !== undefined) closers.push(tls.close);

    const parts: HealthParts = {
      bundles: () => bundleHealth(bundles, config.trustDomain),
      policies: policies.health,
      spire: svids.health,
      ...(tls === undefined ? {} : { tls: tls.health }),
    };

    const tcp = deps.listener ?? (await listenOnTcp(config.listen, clock, tls));
    closers.push(tcp.close);
    const issuerApp = createIssuerApp({ ...config, loopback: isLoopbackHost(config.listen.host), bundles, clock });
    tcp.handle(createHealthApp({ parts, clock, reasons: false }, issuerApp));

    const socket = await listenOnPrivateSocket(config.brokerSocket, clock);
    closers.push(socket.close);
    socket.handle(createHealthApp({ parts, clock, reasons: true }, createBrokerApp({ broker, logger })));

    const health = config.healthListen && (await listenOnTcp(config.healthListen, clock));
    if (health !== undefined) closers.push(health.close);
    health?.handle(createHealthApp({ parts, clock, reasons: true }));

    return {
      broker,
      urls: { http: tcp.url, broker: socket.url, ...(health === undefined ? {} : { health: health.url }) },
      ready: () => firstKeys(bundles, config.trustDomain),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
