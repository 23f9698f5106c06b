import { z } from 'zod';
import { isSecureOrigin } from '../../base/http-url.ts';

/** The audience that Entra recommends for federated credentials (Microsoft identity platform, workload identity federation). */
export const AZURE_DEFAULT_AUDIENCE = 'api://AzureADTokenExchange';

const DIRECTORY_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** A tenant may also be named by one of its verified domains. */
const TENANT = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,})$/i;

export const azureGrantDocument = z
  .strictObject({
    tenantId: z
      .string()
      .max(255)
      .regex(TENANT, 'expected the ID of a tenant, or one of its domains')
      .describe('The Entra tenant.'),
    clientId: z
      .string()
      .regex(DIRECTORY_ID, 'expected a client ID, a GUID')
      .describe('The application or user-assigned managed identity that has the federated credential.'),
    scope: z
      .string()
      .max(2048)
      .regex(/^\S+\/\.default$/, 'expected one scope that ends with /.default')
      .describe('The resource that the access token is for, with `/.default`.'),
    authorityHost: z
      .string()
      .default('https://login.microsoftonline.com')
      .refine(isSecureOrigin, 'expected an https URL without path')
      .describe('The Entra endpoint: another one for a sovereign cloud.'),
  })
  .describe('Azure: a client assertion at Entra ID.');

/** An access token of Entra ID for one resource. */
export interface AzureGrant {
  readonly kind: 'azure';
  /** The one audience of the JWT-SVID that is exchanged. */
  readonly audience: string;
  /** What the audit names: the client ID. */
  readonly target: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly scope: string;
  /** A URL without a trailing slash. */
  readonly authorityHost: string;
}

export function azureGrant(
  document: z.output<typeof azureGrantDocument>,
  audience = AZURE_DEFAULT_AUDIENCE,
): AzureGrant {
  return { kind: 'azure', audience, target: document.clientId, ...document };
}
