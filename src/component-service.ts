import type { Health } from './base/health.ts';
import { openCompileFolder } from './component/compile-folder.ts';
import { createHostedComponent, type HostedComponent } from './component/hosted-component.ts';
import type { Config } from './config/config.ts';
import type { HostConfig } from './config/host.ts';
import { watchTlsFiles } from './config/tls-files.ts';
import { createComponentHttp } from './http/component-http.ts';
import { createHostedApp } from './http/hosted-app.ts';
import { COMPONENT_LIMITS, listenOnTcp } from './http/listener.ts';
import { createLoggingHost } from './logging-host.ts';
import { createService, type Service, type ServiceDeps } from './service.ts';

/** A component and how it does: its digest where it is in service. */
export interface HostedComponentStatus {
  readonly component: string;
  readonly digest: string | undefined;
  readonly health: Health;
}

/** The service, and components that run in the same process. */
export interface ComponentService {
  readonly service: Service;
  /** Where the components answer. */
  readonly url: string;
  components(): readonly HostedComponentStatus[];
  /** Resolves when the issuer answers, and each component is in service or known not to be. */
  ready(): Promise<void>;
  /** Stops taking requests, lets those under way finish, lets go of everything. May be called again. */
  close(): Promise<void>;
}

const NOT_THERE: Health = { state: 'down', code: 'service_stopping', reason: 'is not loaded yet' };

/**
 * The composition root of `svidx host`: the service, and a host whose components ask it without a socket in between. A
 * component that cannot be loaded leaves the rest alone.
 * @throws SvidxError `policy_invalid` or `config_invalid`; nothing is left running then
 */
export async function createComponentService(
  config: Config & { readonly host: HostConfig },
  deps: Omit<ServiceDeps, 'health'>,
): Promise<ComponentService> {
  const { clock, logger } = deps;
  const { listen, tls: tlsFiles, cache, components } = config.host;
  const hosted = new Map<string, HostedComponent>();
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    // Last in, first out: the listeners go before what they use.
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const healthOf = (component: string): Health => hosted.get(component)?.health() ?? NOT_THERE;

  try {
    const tls = tlsFiles && (await watchTlsFiles({ files: tlsFiles, clock, logger }));
    if (tls !== undefined) closers.push(tls.close);

    const compileFolder = cache === undefined ? undefined : await openCompileFolder({ path: cache, logger });

    const service = await createService(config, {
      ...deps,
      health: {
        parts: tls === undefined ? {} : { hostTls: tls.health },
        components: Object.fromEntries(components.map(({ component }) => [component, () => healthOf(component)])),
      },
    });
    closers.push(service.close);

    const { broker, hosting, policies } = service;
    const host = createLoggingHost({ broker, hosting, compileFolder, clock, logger });
    closers.push(host.close);
    const listener = await listenOnTcp(listen, clock, tls, COMPONENT_LIMITS);

    const scheme = tls === undefined ? 'http' : 'https';
    const routes = components.map(({ component: name, file, route, limits }) => {
      const component = createHostedComponent({
        component: name,
        file,
        limits,
        host,
        hosting,
        policies,
        clock,
        logger,
      });
      hosted.set(name, component);
      closers.push(component.close);
      return { route, target: createComponentHttp({ name, component, scheme, clock, logger }) };
    });
    closers.push(listener.close);
    listener.handle(createHostedApp(routes));

    return {
      service,
      url: listener.url,
      components: () =>
        components.map(({ component }) => ({
          component,
          digest: hosted.get(component)?.digest(),
          health: healthOf(component),
        })),
      async ready() {
        await Promise.all([service.ready(), ...[...hosted.values()].map(({ started }) => started)]);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
