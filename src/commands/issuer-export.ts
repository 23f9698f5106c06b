import { resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { startBundleSource } from '../bundle-source.ts';
import { type IssuerConfig, loadConfig } from '../config/config.ts';
import { firstKeys } from '../first-keys.ts';
import { issuerDocuments, issuerPaths } from '../http/issuer-documents.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import { durationOption } from './duration-option.ts';
import { keepCurrent } from './keep-current.ts';
import { staticFilePath, writeStaticFile } from './static-files.ts';
import type { Terminal } from './terminal.ts';

export interface IssuerExportOptions {
  readonly config: string;
  readonly out: string;
  readonly watch?: true;
  readonly timeout: string;
}

/** Far above what a timer needs to be to keep the process alive, and nothing happens when it ends. Milliseconds. */
const KEEP_ALIVE_MS = 60_000;

/**
 * `svidx issuer export`: what the issuer serves as files, to be served by an object store or a CDN: once, or with `--watch`
 * current until SIGTERM or SIGINT. Waits for the first key; an empty key set is never written.
 */
export async function issuerExport(terminal: Terminal, options: IssuerExportOptions): Promise<void> {
  const timeoutMs = durationOption('--timeout', options.timeout, { min: 1, max: 86_400 });
  const config = await loadConfig(options.config, terminal.env);
  const folder = resolve(options.out);
  const files = new Map(issuerPaths(config.issuer).map((path) => [path, staticFilePath(folder, path)]));
  const logger = createLogger({ level: config.logLevel, destination: terminal.logDestination });
  const stopped = terminal.stopped();
  const bundles = await startBundleSource(config, { clock: systemClock, random: Math.random, logger });
  // Nothing else does while the source waits to connect again: none of its timers holds the process.
  const keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
  try {
    await firstKeysInTime(bundles, config, timeoutMs, stopped);
    await write();
    for (const file of files.values()) terminal.print(file);
    if (options.watch) await keepCurrent({ write, bundles, clock: systemClock, logger, stopped });
  } finally {
    clearInterval(keepAlive);
    bundles.close();
  }

  async function write(): Promise<void> {
    const documents = issuerDocuments(config.issuer, bundles.get(config.trustDomain));
    if (documents.size === 0) {
      logger.error({ event: 'issuer.no_keys' }, 'there is no key left, the files stay as they were');
      return;
    }
    // The keys first: no reader of the discovery document finds an algorithm there without its key.
    for (const [path, { body, headers }] of [...documents].reverse()) {
      const file = files.get(path);
      if (file === undefined || !(await writeStaticFile(file, body))) continue;
      const { 'Content-Type': contentType, 'Cache-Control': cacheControl } = headers;
      logger.info({ event: 'issuer.exported', file, contentType, cacheControl }, 'written, to be served with these');
    }
  }
}

async function firstKeysInTime(
  bundles: JwtBundleSource,
  { trustDomain }: IssuerConfig,
  timeoutMs: number,
  stopped: Promise<void>,
): Promise<void> {
  const late = new Promise<'late'>((resolve) => systemClock.after(timeoutMs, () => resolve('late')));
  const first = await Promise.race([firstKeys(bundles, trustDomain), stopped.then(() => 'stopped' as const), late]);
  if (first === 'stopped') throw new SvidxError('service_stopping', 'ended before the first key arrived');
  if (first === 'late') {
    const { reason } = bundles.health();
    throw new SvidxError('bundle_unavailable', `no key of ${trustDomain.name} arrived in time: ${reason}`);
  }
}
