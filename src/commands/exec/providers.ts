import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { GrantFields } from '../../credentials/grant-fields.ts';
import { createBrokerClient } from '../../http/broker-client.ts';
import type { OpenedSession } from '../../http/session-client.ts';
import { createTokenFileClient } from '../../http/token-file-client.ts';
import { createWorkloadClient } from '../../http/workload-client.ts';
import { AMBIENT_VARIABLES } from './ambient.ts';
import type { EnvironmentProvider } from './environment.ts';
import { gcpEndpointProvider, sdkEndpointsProvider } from './sdk-endpoints.ts';
import { staticCredentialsProvider } from './static-credentials.ts';
import { tokenFileProvider } from './token-files.ts';
import { workloadApiProvider } from './workload-api.ts';

export interface ProvidersOptions {
  /** The path of the private socket. */
  readonly socket: string;
  readonly component: string;
  readonly session: OpenedSession;
  /** `XDG_RUNTIME_DIR`, if it is set. */
  readonly runtimeFolder: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/**
 * What a program gets for the grants of a session: the Workload API; a file where the policy asks for one; the endpoint
 * that its SDK asks where there is one; else the credentials themselves.
 */
export function providersFor(options: ProvidersOptions): EnvironmentProvider[] {
  const { socket, component, session, logger } = options;
  const { grants } = session;
  const broker = createBrokerClient(socket);
  const files = createTokenFileClient(socket);
  const inFiles = [...ofKind(grants, 'aws'), ...ofKind(grants, 'azure')].filter(({ inFile }) => inFile);
  return [
    workloadApiProvider({ client: createWorkloadClient(socket), component, logger }),
    ...inFiles.map((grant) => tokenFileProvider({ ...options, client: files, grant })),
    ...endpointProviders(options),
    ...grants
      .filter((grant) => !hasEndpoint(session, grant) && !grant.inFile)
      .map(({ name, kind }) =>
        staticCredentialsProvider({ broker, component, grant: name, without: AMBIENT_VARIABLES[kind] }),
      ),
  ];
}

function endpointProviders({ session: { endpoint, secret, grants }, runtimeFolder, clock }: ProvidersOptions) {
  if (endpoint === null) return [];
  const session = { endpoint, secret, grants };
  return [
    ...(grants.some(({ kind }) => kind === 'aws' || kind === 'azure') ? [sdkEndpointsProvider(session)] : []),
    ...ofKind(grants, 'gcp').map((grant) => gcpEndpointProvider(session, grant, runtimeFolder, clock)),
  ];
}

function hasEndpoint({ endpoint }: OpenedSession, { kind }: GrantFields): boolean {
  return endpoint !== null && (kind === 'aws' || kind === 'azure' || kind === 'gcp');
}

function ofKind<K extends 'aws' | 'azure' | 'gcp'>(grants: readonly GrantFields[], kind: K) {
  return grants.filter((grant): grant is Extract<GrantFields, { kind: K }> => grant.kind === kind);
}
