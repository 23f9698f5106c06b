import { externalAccountJson } from '../../credentials/external-account.ts';
import type { OpenSession, SessionGrantOf } from '../../http/sessions-client.ts';
import { AMBIENT_VARIABLES, NO_AWS_PROFILES } from './ambient.ts';
import type { EnvironmentProvider } from './environment.ts';
import { makePrivateFolder } from './private-folder.ts';

/** A session of which SDKs can ask, and where. */
export interface SdkSession extends Pick<OpenSession, 'secret'> {
  readonly endpoint: string;
}

const nothing = async (): Promise<void> => {};

/** AWS container credentials: renewed by the SDK itself. */
export function awsEndpointProvider(
  { secret, endpoint }: SdkSession,
  grant: SessionGrantOf<'aws'>,
): EnvironmentProvider {
  return {
    name: `the grant ${JSON.stringify(grant.name)}`,
    async open() {
      return {
        env: {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/aws/${grant.name}`,
          AWS_CONTAINER_AUTHORIZATION_TOKEN: secret.reveal(),
          AWS_REGION: grant.region,
          AWS_DEFAULT_REGION: grant.region,
          ...NO_AWS_PROFILES,
        },
        without: AMBIENT_VARIABLES.aws,
        close: nothing,
      };
    },
  };
}

/**
 * The managed identity of Azure App Service: renewed by the SDK itself, which names the resource.
 * @param grants all Azure grants of the session; where they are for one client, that one is named
 */
export function azureEndpointProvider(
  { secret, endpoint }: SdkSession,
  grants: readonly SessionGrantOf<'azure'>[],
): EnvironmentProvider {
  const [clientId, another] = new Set(grants.map((grant) => grant.clientId));
  return {
    name: 'the Azure grants',
    async open() {
      return {
        env: {
          IDENTITY_ENDPOINT: `${endpoint}/azure/token`,
          IDENTITY_HEADER: secret.reveal(),
          ...(clientId === undefined || another !== undefined ? {} : { AZURE_CLIENT_ID: clientId }),
        },
        without: AMBIENT_VARIABLES.azure,
        close: nothing,
      };
    },
  };
}

/** A credential configuration of type `external_account`, in a file in memory, since it holds the session's secret. */
export function gcpEndpointProvider(
  session: SdkSession,
  grant: SessionGrantOf<'gcp'>,
  runtimeFolder: string | undefined,
): EnvironmentProvider {
  const { name, provider, serviceAccount, lifetimeSeconds } = grant;
  return {
    name: `the grant ${JSON.stringify(name)}`,
    async open() {
      const folder = await makePrivateFolder(runtimeFolder);
      const json = externalAccountJson({ ...session, name, grant: { provider, serviceAccount, lifetimeSeconds } });
      const path = await folder.write('external-account.json', json).catch(async (error: unknown) => {
        await folder.remove();
        throw error;
      });
      return {
        env: { GOOGLE_APPLICATION_CREDENTIALS: path },
        without: AMBIENT_VARIABLES.gcp,
        close: folder.remove,
      };
    },
  };
}
