import type { Broker } from './broker/broker.ts';
import type { Hosting } from './broker/hosting.ts';
import type { BundleSourceDeps } from './bundle-source.ts';
import type { Config } from './config/config.ts';
import type { RemoteHostsConfig } from './config/remote-hosts.ts';
import { watchTlsFiles } from './config/tls-files.ts';
import type { HealthParts } from './http/health-app.ts';
import { listenOnTcp } from './http/listener.ts';
import type { RunningX509BundleSource } from './identity/source.ts';
import { MAX_SESSIONS, type SdkEndpoints } from './sdk-endpoints.ts';

export interface RemoteHostsOptions extends BundleSourceDeps, Pick<SdkEndpoints, 'sessions' | 'sessionBroker'> {
  readonly config: Config;
  readonly broker: Broker;
  readonly hosting: Hosting;
}

export interface RemoteHosts {
  /** Where hosts on other machines ask. */
  readonly url: string;
  readonly parts: HealthParts;
}

/**
 * The listener for hosts on other machines, and the X.509 bundles that say who they are.
 * @param closers gets what is to be let go of at the end
 * @throws SvidxError `config_invalid` when the address or the certificate cannot be had
 */
export async function serveRemoteHosts(
  { listen, url, tls: files, allow, requestsPerSecond }: RemoteHostsConfig,
  { config, broker, hosting, sessions, sessionBroker, ...deps }: RemoteHostsOptions,
  closers: (() => Promise<void> | void)[],
): Promise<RemoteHosts> {
  const { clock, logger } = deps;
  const bundles = await startX509BundleSource(config, deps);
  closers.push(bundles.close);
  const tls = await watchTlsFiles({ files, clock, logger });
  closers.push(tls.close);
  const listener = await listenOnTcp(listen, clock, { ...tls, clientCertificates: true });
  closers.push(listener.close);
  const { createRemoteHostsApp } = await import('./http/remote-hosts/remote-hosts-app.ts');
  const app = createRemoteHostsApp({
    allow,
    bundles,
    broker,
    hosting,
    sessions,
    sessionBroker,
    clock,
    logger,
    url: url ?? listener.url,
    requestsPerSecond,
    maxSessions: MAX_SESSIONS,
  });
  listener.handle(app);
  return { url: url ?? listener.url, parts: { remoteHosts: bundles.health, remoteHostsTls: tls.health } };
}

/** The X.509 authorities, from the same socket as the components' identities. */
export async function startX509BundleSource(
  { trustDomain, spireSocket, spireTimeoutMs: timeoutMs }: Config,
  deps: BundleSourceDeps,
): Promise<RunningX509BundleSource> {
  const { createDelegatedIdentityApi } = await import('./identity/delegated-identity/api.ts');
  const source = await import('./identity/delegated-identity/x509-bundle-source.ts');
  const connect = () => createDelegatedIdentityApi(spireSocket);
  return source.createDelegatedX509BundleSource({ ...deps, trustDomain, timeoutMs, connect });
}
