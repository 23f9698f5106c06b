import type { BundleSource } from './identity/source.ts';
import type { TrustDomain } from './spiffe/trust-domain.ts';

/** Resolves when there is a key of this trust domain. */
export function firstKeys<B extends { readonly authorities: readonly unknown[] }>(
  bundles: Pick<BundleSource<B>, 'get' | 'onChange'>,
  trustDomain: TrustDomain,
): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (bundles.get(trustDomain)?.authorities.length) {
        unsubscribe();
        resolve();
      }
    };
    const unsubscribe = bundles.onChange(check);
    check();
  });
}
