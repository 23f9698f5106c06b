import { systemClock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { checkComponents } from '../component/check-components.ts';
import { createComponentService } from '../component-service.ts';
import { type Config, type IssuerConfig, loadConfig } from '../config/config.ts';
import type { HostConfig } from '../config/host.ts';
import { loadPolicyFolder } from '../config/policy-folder.ts';
import { readTlsFiles } from '../config/tls-files.ts';
import { isReadyBefore } from './ready.ts';
import type { Terminal } from './terminal.ts';

export interface HostOptions {
  readonly config: string;
  readonly check?: true;
  readonly json?: true;
}

/** `svidx host`: the service, and components in the same process, until SIGTERM or SIGINT. */
export async function host(terminal: Terminal, options: HostOptions): Promise<void> {
  const config = await loadConfig(options.config, terminal.env);
  if (!hasHost(config)) {
    throw new SvidxError('config_invalid', `${options.config}: host: is missing; it says which components run where`);
  }
  if (options.check) {
    for (const files of [config.tls, config.remoteHosts?.tls, config.host.tls]) {
      if (files !== undefined) await readTlsFiles(files);
    }
    await checkComponents(config.host, await loadPolicyFolder(config.policyFolder, config.trustDomain));
    const names = config.host.components.map(({ component }) => component);
    terminal.print(`${options.config}: good, with components ${names.join(', ')}`);
    return;
  }
  const logger = createLogger({ level: config.logLevel, destination: terminal.logDestination });
  // From here on: a signal during the start must not leave the socket behind.
  const stopped = terminal.stopped();
  const running = await createComponentService(config, { clock: systemClock, random: Math.random, logger });
  const { service, url } = running;
  logger.info({ event: 'service.started', ...service.urls, components: url }, 'loading components');
  if (await isReadyBefore(stopped, running)) announce();
  await stopped;
  logger.info({ event: 'service.stopping' }, 'finishing the requests under way');
  await running.close();

  function announce(): void {
    const { url: issuer, discoveryUrl: discovery } = config.issuer;
    const { broker, endpoints, remoteHosts } = service.urls;
    const components = running.components().map(({ component, digest, health }) => ({
      component,
      digest,
      code: digest === undefined ? health.code : undefined,
    }));
    logger.info({ event: 'service.ready', issuer, broker, url, components }, 'ready');
    if (options.json) {
      terminal.print(
        JSON.stringify({ ready: true, url, components, issuer, discovery, broker, endpoints, remoteHosts }),
      );
      return;
    }
    const lines = components.map(
      ({ component, digest, code }) => `  ${component} ${digest ?? `is not in service: ${code}`}`,
    );
    terminal.print([`svidx hosts at ${url}, and serves ${issuer}`, ...lines].join('\n'));
  }
}

function hasHost(config: Config | IssuerConfig): config is Config & { readonly host: HostConfig } {
  return 'host' in config && config.host !== undefined;
}
