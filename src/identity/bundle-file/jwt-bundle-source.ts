import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Clock, Timer } from '../../base/clock.ts';
import { SvidxError, toSvidxError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { parseBundleOrKeySet } from '../../spiffe/bundle-document.ts';
import type { JwtBundle } from '../../spiffe/jwt-bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { createHeldBundles } from '../held-bundles.ts';
import type { RunningJwtBundleSource } from '../source.ts';

export interface FileJwtBundleSourceOptions {
  /** Whose keys they are: the file does not say. */
  readonly trustDomain: TrustDomain;
  /** The path of a JWK Set or a SPIFFE bundle. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often the file is looked at. Polling works everywhere, mounted Kubernetes ConfigMaps included. */
const POLL_INTERVAL_MS = 2_000;

/** Far above any real bundle. */
const MAX_BYTES = 1024 * 1024;

/**
 * The JWT bundle of one trust domain from a file, read again when it changes. Whoever writes it puts a new file in its
 * place (rename); one that is caught half-written is bad, and read again once it is whole.
 */
export function createFileJwtBundleSource(options: FileJwtBundleSourceOptions): RunningJwtBundleSource {
  const { trustDomain, path, clock } = options;
  const held = createHeldBundles<JwtBundle>({ ...options, kind: 'JWT', wellReason: 'the bundle file is good' });
  /** The last good content: what is bad is read anew each time, and so stays in health. */
  let seen: GoodFile | undefined;
  let timer: Timer = { cancel: () => {} };
  let closed = false;

  async function poll(): Promise<void> {
    try {
      const found = await read(path, trustDomain, seen);
      if (closed) return;
      seen = found;
      held.receive([{ trustDomain, bundle: found.bundle }]);
    } catch (error) {
      if (closed) return;
      held.report(toSvidxError(error), {
        level: 'error',
        event: 'bundles.bad_file',
        message: 'the bundle file is not good, keeping the last good one',
      });
    }
    timer = clock.after(POLL_INTERVAL_MS, start);
  }

  function start(): void {
    void poll();
  }

  start();
  return {
    ...held,
    // The file is looked at often enough.
    hurry: () => {},
    close() {
      closed = true;
      timer.cancel();
      held.close();
    },
  };
}

interface GoodFile {
  /** What changes whenever the content does. */
  readonly fingerprint: string;
  readonly bundle: JwtBundle;
}

/** @throws SvidxError `bundle_unavailable` for what cannot be read, `bundle_invalid` for what is no bundle */
async function read(path: string, trustDomain: TrustDomain, seen: GoodFile | undefined): Promise<GoodFile> {
  let file: FileHandle | undefined;
  try {
    // Without blocking: a pipe in the file's place would keep its reader waiting.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat({ bigint: true });
    if (!found.isFile()) throw new SvidxError('bundle_invalid', `${path}: is not a file`);
    if (found.size > MAX_BYTES) throw new SvidxError('bundle_invalid', `${path}: is larger than ${MAX_BYTES} bytes`);
    const fingerprint = [found.ctimeNs, found.mtimeNs, found.size, found.dev, found.ino].join();
    if (fingerprint === seen?.fingerprint) return seen;
    return { fingerprint, bundle: parseBundleOrKeySet(trustDomain, await file.readFile()) };
  } catch (error) {
    if (error instanceof SvidxError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new SvidxError('bundle_unavailable', `${path}: cannot be read (${code})`, { cause: error });
  } finally {
    await file?.close();
  }
}
