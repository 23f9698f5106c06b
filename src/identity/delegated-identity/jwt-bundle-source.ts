import { JwtBundle } from '../../spiffe/jwt-bundle.ts';
import type { RunningJwtBundleSource } from '../source.ts';
import { createDelegatedBundleSource, type DelegatedBundleSourceDeps } from './bundle-source.ts';

/** JWT bundles, our own trust domain's and those it federates with, from SPIRE's Delegated Identity API. */
export function createDelegatedJwtBundleSource(deps: DelegatedBundleSourceDeps): RunningJwtBundleSource {
  return createDelegatedBundleSource({ ...deps, kind: 'JWT', parse: JwtBundle.parse, stream: 'subscribeToJwtBundles' });
}
