import type { Clock } from './base/clock.ts';
import type { Logger } from './base/logger.ts';
import type { IssuerConfig } from './config/config.ts';
import type { RunningJwtBundleSource } from './identity/source.ts';

export interface BundleSourceDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** Starts the one source of keys that the configuration names. The code of the others is not even loaded. */
export async function startBundleSource(config: IssuerConfig, deps: BundleSourceDeps): Promise<RunningJwtBundleSource> {
  const { bundle, trustDomain, spireTimeoutMs: timeoutMs } = config;
  const options = { ...deps, trustDomain, timeoutMs };
  switch (bundle.from) {
    case 'delegatedIdentity': {
      const { createDelegatedIdentityApi } = await import('./identity/delegated-identity/api.ts');
      const source = await import('./identity/delegated-identity/jwt-bundle-source.ts');
      const connect = () => createDelegatedIdentityApi(bundle.socket);
      return source.createDelegatedJwtBundleSource({ ...options, connect });
    }
    case 'workloadApi': {
      const { createWorkloadApi } = await import('./identity/workload-api/api.ts');
      const source = await import('./identity/workload-api/jwt-bundle-source.ts');
      return source.createWorkloadJwtBundleSource({ ...options, api: createWorkloadApi(bundle.target) });
    }
    case 'httpsWeb': {
      const source = await import('./identity/bundle-endpoint/jwt-bundle-source.ts');
      return source.createEndpointJwtBundleSource({ ...options, ...bundle });
    }
    case 'file': {
      const source = await import('./identity/bundle-file/jwt-bundle-source.ts');
      return source.createFileJwtBundleSource({ ...options, path: bundle.path });
    }
  }
}
