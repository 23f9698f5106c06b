import { z } from 'zod';
import { durationSchema } from '../../base/duration.ts';

/** Pool and provider: 4 to 32 of `[a-z0-9-]` (Google Cloud IAM, workload identity federation). */
const PROVIDER =
  /^projects\/\d{1,19}\/locations\/global\/workloadIdentityPools\/[a-z0-9-]{4,32}\/providers\/[a-z0-9-]{4,32}$/;

const SERVICE_ACCOUNT = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?@[a-z0-9][a-z0-9.-]*\.gserviceaccount\.com$/;

const scopeText = z
  .string()
  .max(2048)
  .regex(/^https:\/\/\S+$/, 'expected a scope, https://www.googleapis.com/auth/...');

export const gcpGrantDocument = z
  .strictObject({
    provider: z
      .string()
      .regex(
        PROVIDER,
        'expected projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the project number',
      )
      .describe('The workload identity pool provider, with the number of its project.'),
    serviceAccount: z
      .string()
      .max(255)
      .regex(SERVICE_ACCOUNT, 'expected the e-mail address of a service account')
      .optional()
      .describe(
        'The service account to impersonate. Where it is left out the token is that of the federated identity.',
      ),
    scopes: z
      .array(scopeText)
      .min(1, 'expected at least one scope')
      .max(100)
      .default(['https://www.googleapis.com/auth/cloud-platform'])
      .describe('What the access token may be used for.'),
    lifetime: durationSchema({ min: 600, max: 43_200 }, '1h').describe(
      "How long an impersonated service account's token lives: 10m to 12h; beyond 1h an organization policy must allow it.",
    ),
  })
  .describe('Google Cloud: token exchange at the Security Token Service, and impersonation.');

/** An access token of Google Cloud. */
export interface GcpGrant {
  readonly kind: 'gcp';
  /** The one audience of the JWT-SVID that is exchanged. */
  readonly audience: string;
  /** What the audit names: the service account, or else the provider. */
  readonly target: string;
  /** `projects/...`, as the resource name has it. */
  readonly provider: string;
  readonly serviceAccount: string | undefined;
  readonly scopes: readonly string[];
  /** 600 to 43,200. */
  readonly lifetimeSeconds: number;
}

/** Where a provider allows no audiences of its own, `aud` must be its full resource name (Google Cloud IAM, Oidc). */
export function gcpGrant(document: z.output<typeof gcpGrantDocument>, audience?: string): GcpGrant {
  const { provider, serviceAccount, scopes, lifetime } = document;
  return {
    kind: 'gcp',
    audience: audience ?? `https://iam.googleapis.com/${provider}`,
    target: serviceAccount ?? provider,
    provider,
    serviceAccount,
    scopes: Object.freeze(scopes),
    lifetimeSeconds: lifetime,
  };
}
