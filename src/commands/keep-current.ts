import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { JwtBundleSource } from '../identity/source.ts';

export interface KeepCurrentOptions {
  /** Writes what the bundles say now. */
  write(): Promise<void>;
  readonly bundles: Pick<JwtBundleSource, 'onChange'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stopped: Promise<void>;
}

/** How long after a failed write the next is tried. Milliseconds. */
const RETRY_MS = 10_000;

/** Writes after each change, one after the other, and again after a failure. Resolves at the end, with the last write done. */
export async function keepCurrent({ write, bundles, clock, logger, stopped }: KeepCurrentOptions): Promise<void> {
  let writing = Promise.resolve();
  let retry: Timer | undefined;

  function again(): void {
    retry?.cancel();
    writing = writing.then(write).catch((error: unknown) => {
      logger.error({ event: 'issuer.export_failed', error }, 'files not written, trying again');
      retry?.cancel();
      retry = clock.after(RETRY_MS, again);
    });
  }

  const unsubscribe = bundles.onChange(again);
  // What changed while the first files were written.
  again();
  await stopped;
  unsubscribe();
  await writing;
  retry?.cancel();
}
