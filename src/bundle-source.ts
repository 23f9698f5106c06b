import type { Clock } from './base/clock.ts';
import type { Health } from './base/health.ts';
import type { Logger } from './base/logger.ts';
import type { Config } from './config/config.ts';
import { createDelegatedIdentityApi } from './identity/delegated-identity/api.ts';
import { createDelegatedJwtBundleSource } from './identity/delegated-identity/jwt-bundle-source.ts';
import type { JwtBundleSource } from './identity/source.ts';
import type { TrustDomain } from './spiffe/trust-domain.ts';

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

/** Resolves when there is a key of this trust domain to publish. */
export function firstKeys(bundles: JwtBundleSource, trustDomain: TrustDomain): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (hasKeys(bundles, trustDomain)) {
        unsubscribe();
        resolve();
      }
    };
    const unsubscribe = bundles.onChange(check);
    check();
  });
}

/** How the source is doing for one trust domain: `down` without a key of it, however well the source answers. */
export function bundleHealth(bundles: JwtBundleSource, trustDomain: TrustDomain): Health {
  const health = bundles.health();
  if (health.state === 'down' || hasKeys(bundles, trustDomain)) return health;
  return { ...health, state: 'down', code: 'bundle_unavailable', reason: `there is no key of ${trustDomain.name}` };
}

function hasKeys(bundles: JwtBundleSource, trustDomain: TrustDomain): boolean {
  return (bundles.get(trustDomain)?.authorities.length ?? 0) > 0;
}
