import type { NamedGrant } from '../policy/policy-set.ts';

/** Where sessions are opened on the private socket; each has a path below. */
export const SESSIONS_PATH = '/v1/sessions';

/**
 * What a program has to be told of a grant to ask for it through its SDK, and whether its JWT-SVID may be in a file.
 * Nothing here is secret.
 */
export type GrantFields = TargetFields & { readonly inFile?: true };

type TargetFields =
  | { readonly name: string; readonly kind: 'aws'; readonly region: string }
  | { readonly name: string; readonly kind: 'azure'; readonly tenantId: string; readonly clientId: string }
  | {
      readonly name: string;
      readonly kind: 'gcp';
      readonly provider: string;
      readonly serviceAccount?: string;
      readonly lifetimeSeconds: number;
    }
  | { readonly name: string; readonly kind: 'vault' | 'oauth' };

export function grantFields(named: NamedGrant): GrantFields {
  return { ...targetFields(named), ...(named.inFile ? { inFile: true } : {}) };
}

function targetFields({ name, grant }: NamedGrant): TargetFields {
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
