import { X509Bundle } from '../../spiffe/x509-bundle.ts';
import type { RunningX509BundleSource } from '../source.ts';
import { createDelegatedBundleSource, type DelegatedBundleSourceDeps } from './bundle-source.ts';

/** X.509 bundles, our own trust domain's and those it federates with, from SPIRE's Delegated Identity API. */
export function createDelegatedX509BundleSource(deps: DelegatedBundleSourceDeps): RunningX509BundleSource {
  return createDelegatedBundleSource({
    ...deps,
    kind: 'X.509',
    parse: X509Bundle.parse,
    stream: 'subscribeToX509Bundles',
  });
}
