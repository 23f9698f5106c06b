import type { Clock } from './base/clock.ts';
import type { Logger } from './base/logger.ts';
import type { Config } from './config/config.ts';
import { createDelegatedIdentityApi } from './identity/delegated-identity/api.ts';
import { createDelegatedJwtBundleSource } from './identity/delegated-identity/jwt-bundle-source.ts';
import type { JwtBundleSource } from './identity/source.ts';

export interface BundleSourceDeps {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
}

/** The source of public keys that the configuration names, begun. */
export async function createBundleSource(
  config: Config,
  deps: BundleSourceDeps,
): Promise<JwtBundleSource & { close(): void }> {
  const api = createDelegatedIdentityApi(config.spireSocket);
  const source = createDelegatedJwtBundleSource({ api, timeoutMs: config.spireTimeoutMs, ...deps });
  return {
    ...source,
    close() {
      source.close();
      api.close();
    },
  };
}
