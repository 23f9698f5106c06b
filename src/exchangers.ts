import type { Config } from './config/config.ts';
import type { Exchanger } from './exchange/exchanger.ts';
import { createGuardedExchanger, type GuardOptions } from './exchange/guarded.ts';
import { createExchangerRegistry } from './exchange/registry.ts';

/**
 * The exchangers for every kind of grant, as the configuration wants them. Each is loaded when it is first needed, and
 * guarded so that no target is asked for more than it can bear.
 */
export function createExchangers({ stsEndpoint }: Config, world: GuardOptions): Exchanger {
  const { clock, random } = world;
  const exchangers = createExchangerRegistry({
    aws: async () => {
      const { createAwsExchanger } = await import('./exchange/aws.ts');
      return createAwsExchanger({ clock, random, endpoint: stsEndpoint });
    },
    azure: async () => (await import('./exchange/azure.ts')).createAzureExchanger({ clock, random }),
    gcp: async () => (await import('./exchange/gcp.ts')).createGcpExchanger({ clock, random }),
    vault: async () => (await import('./exchange/vault.ts')).createVaultExchanger({ clock, random }),
    oauth: async () => (await import('./exchange/oauth.ts')).createOAuthExchanger({ clock, random }),
  });
  return createGuardedExchanger(exchangers, world);
}
