import type { Broker } from '../../broker/broker.ts';
import { credentialEnvironment } from '../../credentials/formats.ts';
import { credentialFields } from '../../credentials/wire.ts';
import type { EnvironmentProvider } from './environment.ts';

export interface StaticCredentialsOptions {
  readonly broker: Pick<Broker, 'credentials'>;
  readonly component: string;
  readonly grant: string;
  /** What would compete with them. */
  readonly without: readonly string[];
}

/**
 * The credentials of a grant themselves, for targets whose tools know no other way. They are good for as long as they live:
 * a running program's environment cannot be renewed.
 */
export function staticCredentialsProvider(options: StaticCredentialsOptions): EnvironmentProvider {
  const { broker, component, grant, without } = options;
  return {
    name: `the grant ${JSON.stringify(grant)}`,
    async open() {
      const env = credentialEnvironment(credentialFields(await broker.credentials({ component }, grant)));
      return { env, without, close: async () => {} };
    },
  };
}
