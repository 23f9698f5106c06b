import { toSvidxError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { createBroker } from '../broker/broker.ts';
import type { Config } from '../config/config.ts';
import { createExchangers } from '../exchangers.ts';
import type { JwtSvidSource } from '../identity/source.ts';
import type { ComponentPolicy, NamedGrant, PolicySet } from '../policy/policy-set.ts';
import { adviseOnExchange } from './exchange-advice.ts';
import { type Finding, failed, ok } from './walk.ts';
import type { World } from './world.ts';

export interface ExchangeOptions {
  readonly config: Config;
  readonly policies: PolicySet;
  readonly policy: ComponentPolicy;
  readonly granted: NamedGrant;
  readonly svids: JwtSvidSource;
  readonly world: World;
}

/** One real exchange, through the code that the service runs. Of the credentials only their end is told. */
export async function tryExchange(options: ExchangeOptions): Promise<Finding<undefined>> {
  const { config, policies, policy, granted, svids, world } = options;
  const { clock, random } = world;
  const logger = createLogger({ level: 'silent', destination: { write: () => {} } });
  const broker = createBroker({
    policies: () => policies,
    svids,
    exchanger: createExchangers(config, { clock, random, logger }),
    clock,
    random,
    logger,
    cacheSize: 1,
  });
  try {
    const ask = granted.injection === undefined ? broker.credentials : broker.injected;
    const { expiresAt } = await ask({ component: policy.component, digest: policy.digest }, granted.name);
    return ok(`credentials for ${granted.grant.target} until ${new Date(expiresAt).toISOString()}`);
  } catch (error) {
    return failed(error, adviseOnExchange(toSvidxError(error).code, granted.grant, { policy, config }));
  }
}
