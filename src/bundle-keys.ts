import type { Health } from './base/health.ts';
import type { JwtBundleSource } from './identity/source.ts';
import type { TrustDomain } from './spiffe/trust-domain.ts';

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
