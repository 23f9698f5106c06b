import { createPrivateKey, X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Health } from '../base/health.ts';
import type { Logger } from '../base/logger.ts';
import { readSettled, watchValue } from '../base/watched-value.ts';
import { readNamedText } from './read-file.ts';

/** How often the files are looked at. Polling works everywhere, mounted Kubernetes Secrets included. */
const POLL_INTERVAL_MS = 2_000;

export interface TlsFiles {
  /** The absolute path of the certificate chain in PEM, the server's own certificate first. */
  readonly certFile: string;
  /** The absolute path of its private key in PEM. */
  readonly keyFile: string;
}

/** @param folder where the paths go from */
export function resolveTlsFiles({ certFile, keyFile }: TlsFiles, folder: string): TlsFiles {
  return { certFile: resolve(folder, certFile), keyFile: resolve(folder, keyFile) };
}

/** A certificate chain and the private key that belongs to it, in PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

/** The pair in use, replaced when the files change. */
export interface WatchedTlsFiles {
  current(): TlsPair;
  /** Calls `listener` after each change of the pair. */
  onChange(listener: (pair: TlsPair) => void): void;
  /** `degraded` while the files hold something unusable, `down` once the certificate in use has expired. */
  health(): Health;
  /** Looks at the files now instead of at the next poll. Never throws: bad files leave the pair in use. */
  check(): Promise<void>;
  close(): void;
}

/**
 * Reads a certificate chain and its key, both as they were at one moment.
 * @throws SvidxError `config_invalid` when a file cannot be read or used, or the two do not belong together
 */
export async function readTlsFiles(files: TlsFiles): Promise<TlsPair> {
  // Whoever renews a certificate writes two files: what was read in between may be one of each pair.
  const settled = await readSettled(
    () => fingerprint(files),
    () => readOnce(files),
  );
  if (settled === undefined) {
    throw new SvidxError('config_invalid', `${files.certFile}: changes faster than it can be read`);
  }
  return settled.value;
}

async function readOnce({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  const cert = await readNamedText(certFile, 'config_invalid');
  const key = await readNamedText(keyFile, 'config_invalid');
  const leaf = parsed(() => new X509Certificate(cert), `${certFile}: expected a certificate in PEM`);
  const privateKey = parsed(
    () => createPrivateKey(key),
    `${keyFile}: expected a private key in PEM, without passphrase`,
  );
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new SvidxError('config_invalid', `${keyFile}: is not the key of the certificate in ${certFile}`);
  }
  return { cert, key, notAfter: Date.parse(leaf.validTo) };
}

/** OpenSSL's own words stay out: they say nothing to an operator, and come from a file that holds a key. */
function parsed<T>(parse: () => T, problem: string): T {
  try {
    return parse();
  } catch {
    throw new SvidxError('config_invalid', problem);
  }
}

export interface WatchedTlsFilesOptions {
  readonly files: TlsFiles;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Reads a certificate and its key and keeps them current. A change to something unusable, an expired certificate
 * included, is logged once, and the last good pair stays in use.
 * @throws SvidxError `config_invalid` when the first read fails
 */
export async function watchTlsFiles({ files, clock, logger }: WatchedTlsFilesOptions): Promise<WatchedTlsFiles> {
  const listeners = new Set<(pair: TlsPair) => void>();
  const watched = await watchValue({
    clock,
    intervalMs: POLL_INTERVAL_MS,
    fingerprint: () => fingerprint(files),
    read: () => readTlsFiles(files),
    onValue(pair, previous) {
      if (pair.notAfter <= clock.now()) throw new SvidxError('config_invalid', `${files.certFile}: has expired`);
      if (pair.cert === previous.cert && pair.key === previous.key) return;
      logger.info({ event: 'tls.changed', notAfter: isoTime(pair.notAfter) }, 'certificate changed');
      for (const listener of listeners) listener(pair);
    },
    onTrouble: (error) =>
      logger.error({ event: 'tls.reload_failed', error }, 'certificate not reloaded, the last good one stays in use'),
  });

  function health(): Health {
    const current = watched.current();
    const problem = watched.trouble();
    const lastGoodAt = watched.lastGoodAt();
    const until = isoTime(current.notAfter);
    if (current.notAfter <= clock.now()) {
      return { state: 'down', code: 'config_invalid', reason: `the certificate expired at ${until}`, lastGoodAt };
    }
    if (problem === undefined) return { state: 'up', reason: `the certificate is valid until ${until}`, lastGoodAt };
    const reason = `the last good certificate, valid until ${until}, stays in use: ${problem.message}`;
    return { state: 'degraded', code: problem.code, reason, lastGoodAt };
  }

  return {
    current: watched.current,
    onChange: (listener) => void listeners.add(listener),
    health,
    check: watched.check,
    close() {
      watched.close();
      listeners.clear();
    },
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** What changes whenever a file's content does: times, size and inode of what its name leads to. */
async function fingerprint({ certFile, keyFile }: TlsFiles): Promise<string> {
  const found = await Promise.all(
    [certFile, keyFile].map(async (file) => {
      const stats = await stat(file, { bigint: true }).catch(() => undefined);
      return stats === undefined ? 'none' : `${stats.ctimeNs} ${stats.mtimeNs} ${stats.size} ${stats.ino}`;
    }),
  );
  return found.join('\n');
}
