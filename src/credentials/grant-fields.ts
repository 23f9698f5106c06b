import { z } from 'zod';
import type { Grant } from './grant.ts';

const common = {
  name: z.string(),
  /** Its JWT-SVID may be in a file. */
  inFile: z.literal(true).optional(),
};

/** What a program has to be told of a grant to ask for it through its SDK. Nothing here is secret. */
export const grantFieldsSchema = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('aws'), region: z.string() }),
  z.object({ ...common, kind: z.literal('azure'), tenantId: z.string(), clientId: z.string() }),
  z.object({
    ...common,
    kind: z.literal('gcp'),
    provider: z.string(),
    serviceAccount: z.string().optional(),
    lifetimeSeconds: z.number(),
  }),
  z.object({ ...common, kind: z.enum(['vault', 'oauth']) }),
]);

export type GrantFields = Readonly<z.output<typeof grantFieldsSchema>>;

/**
 * @param name as the policy has it
 * @param inFile whether its JWT-SVID may be in a file
 */
export function grantFields(name: string, grant: Grant, inFile: boolean): GrantFields {
  return { ...targetFields(name, grant), ...(inFile ? { inFile } : {}) };
}

function targetFields(name: string, grant: Grant): GrantFields {
  switch (grant.kind) {
    case 'aws':
      return { name, kind: grant.kind, region: grant.region };
    case 'azure':
      return { name, kind: grant.kind, tenantId: grant.tenantId, clientId: grant.clientId };
    case 'gcp': {
      const { kind, provider, serviceAccount, lifetimeSeconds } = grant;
      return { name, kind, provider, ...(serviceAccount === undefined ? {} : { serviceAccount }), lifetimeSeconds };
    }
    default:
      return { name, kind: grant.kind };
  }
}
