import type { Clock } from '../../base/clock.ts';
import { externalAccountJson } from '../../credentials/external-account.ts';
import type { GrantFields } from '../../credentials/grant-fields.ts';
import { type SessionAccess, sdkEnvironment } from '../../credentials/session-formats.ts';
import { AMBIENT_VARIABLES, NO_AWS_PROFILES } from './ambient.ts';
import type { EnvironmentProvider } from './environment.ts';
import { makePrivateFolder } from './private-folder.ts';

type SdkSession = Pick<SessionAccess, 'endpoint' | 'secret' | 'grants'>;

/** AWS container credentials and the managed identity of Azure App Service, which the SDKs renew themselves. */
export function sdkEndpointsProvider(session: SdkSession): EnvironmentProvider {
  const kinds = (['aws', 'azure'] as const).filter((kind) => session.grants.some((grant) => grant.kind === kind));
  return {
    name: 'the endpoints for SDKs',
    async open() {
      return {
        env: { ...sdkEnvironment(session), ...(kinds.includes('aws') ? NO_AWS_PROFILES : {}) },
        without: kinds.flatMap((kind) => AMBIENT_VARIABLES[kind]),
        close: async () => {},
      };
    },
  };
}

/** A credential configuration of type `external_account`, in a file in memory, since it holds the session's secret. */
export function gcpEndpointProvider(
  { endpoint, secret }: SdkSession,
  grant: GrantFields & { readonly kind: 'gcp' },
  runtimeFolder: string | undefined,
  clock: Clock,
): EnvironmentProvider {
  const { name } = grant;
  return {
    name: `the grant ${JSON.stringify(name)}`,
    async open() {
      const folder = await makePrivateFolder(runtimeFolder, clock);
      const json = externalAccountJson({
        endpoint,
        secret,
        name,
        grant: { ...grant, serviceAccount: grant.serviceAccount },
      });
      const path = await folder.write('external-account.json', json).catch(async (error: unknown) => {
        await folder.remove();
        throw error;
      });
      return { env: { GOOGLE_APPLICATION_CREDENTIALS: path }, without: AMBIENT_VARIABLES.gcp, close: folder.remove };
    },
  };
}
