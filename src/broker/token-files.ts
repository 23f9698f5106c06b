import {
  isTokenFileGrant,
  type TokenFileGrant,
  type TokenFileVariables,
  tokenFileVariables,
} from '../credentials/token-file.ts';
import { roleSessionName } from '../exchange/role-session-name.ts';
import { type Caller, type Decision, evaluateTokenFile } from '../policy/evaluate.ts';
import type { NamedGrant, PolicySet } from '../policy/policy-set.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { type Audit, createAudit } from './audit.ts';
import type { Broker, BrokerOptions } from './broker.ts';
import { permitted } from './permitted.ts';

/** A JWT-SVID for a file, and what a program is told with it. */
export interface TokenFile {
  readonly svid: JwtSvid;
  readonly variables: TokenFileVariables;
}

/** JWT-SVIDs for programs that read nothing but files. */
export interface TokenFiles {
  /** @throws SvidxError `policy_denied` where the policy does not ask for it; `identity_*` */
  get(caller: Caller, grant: string): Promise<TokenFile>;
}

export interface TokenFilesOptions extends Pick<BrokerOptions, 'clock' | 'logger'> {
  readonly broker: Pick<Broker, 'identity'>;
  /** The policy set in force now. */
  policies(): PolicySet;
}

export function createTokenFiles(options: TokenFilesOptions): TokenFiles {
  const { broker, policies } = options;
  const audit: Audit = createAudit(options);
  return {
    get(caller, grant) {
      return audit.record('token_file.request', { component: caller.component, grant }, async (fields) => {
        const decision: Decision<NamedGrant> = evaluateTokenFile(policies(), caller, grant);
        const { policy, granted } = permitted(decision, caller, fields);
        const target = toTokenFileGrant(granted);
        const svid = await broker.identity(caller, [target.audience]);
        fields.tokenSha256 = svid.sha256;
        return { svid, variables: tokenFileVariables(target, roleSessionName(policy.spiffeId)) };
      });
    },
  };
}

/** The policy lets no other grant be in a file. */
function toTokenFileGrant({ grant }: NamedGrant): TokenFileGrant {
  if (isTokenFileGrant(grant)) return grant;
  throw new Error(`a grant of ${grant.kind} cannot be in a file`);
}
