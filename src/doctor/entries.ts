import { type ErrorCode, toSvidxError } from '../base/errors.ts';
import type { JwtSvidSource } from '../identity/source.ts';
import { type ComponentIdentity, pinnedIdentity } from '../policy/component-identity.ts';
import type { ComponentPolicy } from '../policy/policy-set.ts';
import type { Audience } from '../spiffe/audience.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { AGENT_ID_NOTE, createEntryCommand } from './spire-commands.ts';
import { type Finding, failed, type Outcome, ok, type Walk } from './walk.ts';

/** A JWT-SVID that was really issued, and for whom. */
export interface Minted {
  readonly policy: ComponentPolicy;
  readonly svid: JwtSvid;
}

/**
 * One step for each component: SPIRE issues its JWT-SVID. An agent that does not answer for one is not asked for the
 * others, which would wait as long.
 * @returns the tokens of all that have an entry
 */
export async function walkEntries(
  { step }: Walk,
  needs: Outcome<readonly [readonly ComponentPolicy[], JwtSvidSource]>,
): Promise<Outcome<readonly Minted[]>> {
  if (!needs.done) return step('entry', needs, () => ok('', []));
  const [components, svids] = needs.value;
  const minted: Minted[] = [];
  let failure: Outcome<never> | undefined;
  let silent: Outcome<never> | undefined;
  for (const policy of components) {
    const outcome = await step(`entry/${policy.component}`, silent ?? askable(policy), (asked) => mint(asked, svids));
    if (outcome.done) minted.push(outcome.value);
    else {
      // What could not be asked is no reason where something was asked and failed.
      if (failure === undefined || 'absent' in failure) failure = outcome;
      if (outcome.code === 'identity_unavailable') silent = outcome;
    }
  }
  return minted.length > 0 ? { done: true, value: minted } : (failure ?? { done: true, value: [] });
}

interface Asked {
  readonly policy: ComponentPolicy;
  readonly identity: ComponentIdentity;
  /** One that its policy grants: it may not be asked for any other, not even to see whether that works. */
  readonly audience: Audience;
}

/** What SPIRE can be asked for this component. */
function askable(policy: ComponentPolicy): Outcome<Asked> {
  const { audiences, grants } = policy;
  const audience = grants[0]?.grant.audience ?? audiences[0];
  if (audience === undefined) return absent('its policy has neither audiences nor grants, so it needs no identity');
  const identity = pinnedIdentity(policy);
  if (identity === undefined) return absent('which bytes run is not known here: "digest" in its policy would say it');
  return { done: true, value: { policy, identity, audience: [audience] } };
}

function absent(reason: string): Outcome<never> {
  return { done: false, because: 'policies', absent: reason };
}

async function mint({ policy, identity, audience }: Asked, svids: JwtSvidSource): Promise<Finding<Minted>> {
  try {
    const svid = await svids.fetchJwtSvid(identity, audience, new AbortController().signal);
    const key = svid.keyId === undefined ? 'without a key ID' : `key ${svid.keyId}`;
    return ok(`${policy.spiffeId} for ${audience.join()}, ${svid.algorithm}, ${key}`, { policy, svid });
  } catch (error) {
    return failed(error, advise(toSvidxError(error).code, identity));
  }
}

function advise(code: ErrorCode, { spiffeId, selectors }: ComponentIdentity): string {
  const command = createEntryCommand(spiffeId.toString(), selectors);
  switch (code) {
    case 'identity_not_found':
      return `Register it:\n${command}\n${AGENT_ID_NOTE}\nAn entry's selectors must all be among the policy's.`;
    case 'identity_mismatch':
      return `Either the policy's spiffeId is wrong, or an entry is missing:\n${command}\n${AGENT_ID_NOTE}`;
    case 'identity_unavailable':
      return 'Can the agent reach its SPIRE server, and does that sign? See "spire-agent healthcheck" and both logs.';
    case 'identity_delegate_unauthorized':
      return 'The agent accepted this process a moment ago: was its registration entry just deleted?';
    case 'identity_request_rejected':
      return "Look at the policy's selectors: SPIRE takes type:value, both not empty.";
    default:
      return 'The agent answers with something that is no JWT-SVID for this component: see its log.';
  }
}
