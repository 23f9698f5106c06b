import type { Timer } from '../base/clock.ts';
import { createLogger } from '../base/logger.ts';
import { startBundleSource } from '../bundle-source.ts';
import type { IssuerConfig } from '../config/config.ts';
import { firstKeys } from '../first-keys.ts';
import type { BundleSource } from '../identity/source.ts';
import type { JwtBundle } from '../spiffe/jwt-bundle.ts';
import { type Finding, ok } from './walk.ts';
import type { World } from './world.ts';

const NAMES: Readonly<Record<IssuerConfig['bundle']['from'], string>> = {
  delegatedIdentity: 'the admin socket',
  workloadApi: 'the Workload API',
  httpsWeb: 'the bundle endpoint',
  file: 'the bundle file',
};

/** Whether keys of the trust domain come from where the configuration says, by the service's own source. */
export async function lookAtKeySource(config: IssuerConfig, world: World): Promise<Finding<JwtBundle>> {
  // What it has to log it has to say as its health, too.
  const logger = createLogger({ level: 'silent', destination: { write: () => {} } });
  const source = await startBundleSource(config, { clock: world.clock, random: world.random, logger });
  try {
    const bundle = await keysInTime(source, config, world);
    const name = NAMES[config.bundle.from];
    if (bundle !== undefined) {
      return ok(`${name} has keys of ${config.trustDomain.name}: ${bundle.authorities.map(keyOf).join(', ')}`, bundle);
    }
    const { reason, code = 'bundle_unavailable' } = source.health();
    return {
      status: 'fail',
      saw: `${name} has no keys of ${config.trustDomain.name}: ${reason}`,
      advice: `Correct "bundle.${config.bundle.from}" in the configuration, or what it names.`,
      code,
    };
  } finally {
    source.close();
  }
}

/** The keys as soon as they are there, or `undefined` when they did not come in time. */
export async function keysInTime<B extends { readonly authorities: readonly unknown[] }>(
  source: BundleSource<B>,
  { trustDomain }: IssuerConfig,
  { clock, limitMs }: World,
): Promise<B | undefined> {
  let timer: Timer | undefined;
  await Promise.race([
    firstKeys(source, trustDomain),
    new Promise<void>((resolve) => {
      timer = clock.after(limitMs, resolve);
    }),
  ]);
  timer?.cancel();
  const bundle = source.get(trustDomain);
  return bundle?.authorities.length ? bundle : undefined;
}

function keyOf({ keyId, algorithms }: JwtBundle['authorities'][number]): string {
  return `${keyId} (${algorithms[0]})`;
}
