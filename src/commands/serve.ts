import { systemClock } from '../base/clock.ts';
import { createLogger } from '../base/logger.ts';
import { type Config, type IssuerConfig, loadConfig } from '../config/config.ts';
import { loadPolicyFolder } from '../config/policy-folder.ts';
import { readTlsFiles } from '../config/tls-files.ts';
import { createService } from '../service.ts';
import { isReadyBefore } from './ready.ts';
import type { Terminal } from './terminal.ts';

export interface ServeOptions {
  readonly config: string;
  readonly check?: true;
  readonly json?: true;
}

/** `svidx serve`: the service against a SPIRE agent and the clouds, until SIGTERM or SIGINT. */
export async function serve(terminal: Terminal, options: ServeOptions): Promise<void> {
  const config = await loadConfig(options.config, terminal.env);
  if (options.check) {
    for (const files of [config.tls, 'remoteHosts' in config ? config.remoteHosts?.tls : undefined]) {
      if (files !== undefined) await readTlsFiles(files);
    }
    const ignored = hasHost(config) ? '; "host" is for "svidx host"' : '';
    terminal.print(`${options.config}: good, ${await describePolicies(config)}${ignored}`);
    return;
  }
  const logger = createLogger({ level: config.logLevel, destination: terminal.logDestination });
  if (hasHost(config)) {
    logger.warn({ event: 'service.host_ignored' }, 'the components of "host" are not run: "svidx host" runs them');
  }
  // From here on: a signal during the start must not leave the socket behind.
  const stopped = terminal.stopped();
  const service = await createService(config, { clock: systemClock, random: Math.random, logger });
  logger.info({ event: 'service.started', ...service.urls }, 'waiting for the first bundle');
  if (await isReadyBefore(stopped, service)) announce();
  await stopped;
  logger.info({ event: 'service.stopping' }, 'finishing the requests under way');
  await service.close();

  function announce(): void {
    const { url: issuer, discoveryUrl: discovery } = config.issuer;
    const { http, broker, endpoints, remoteHosts } = service.urls;
    logger.info({ event: 'service.ready', issuer, http, broker }, 'ready');
    terminal.print(
      options.json
        ? JSON.stringify({ ready: true, issuer, discovery, broker, endpoints, remoteHosts })
        : `svidx serves ${issuer} at ${http}, and ${broker === null ? 'no components' : `components at ${broker}`}`,
    );
  }
}

function hasHost(config: Config | IssuerConfig): boolean {
  return 'host' in config;
}

async function describePolicies(config: Config | IssuerConfig): Promise<string> {
  if (!('policyFolder' in config)) return 'for the issuer alone';
  const { components } = await loadPolicyFolder(config.policyFolder, config.trustDomain);
  return `with policies for ${components.map(({ component }) => component).join(', ')}`;
}
