import { SvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';
import type { Caller, Decision } from '../policy/evaluate.ts';
import type { AuditFields } from './audit.ts';

/**
 * The policy's yes; notes in the audit whose identity it is about.
 * @throws SvidxError `policy_denied`
 */
export function permitted<T>(
  decision: Decision<T>,
  caller: Caller,
  fields: AuditFields,
): Decision<T> & { allowed: true } {
  if (decision.policy !== undefined) fields.spiffeId = decision.policy.spiffeId.toString();
  if (decision.allowed) return decision;
  // The reason repeats what was asked for, and somebody may have put a token where a name belongs.
  throw new SvidxError('policy_denied', scrub(`component ${JSON.stringify(caller.component)}: ${decision.reason}`));
}
