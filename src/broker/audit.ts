import type { Clock } from '../base/clock.ts';
import { type ErrorCode, toSvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { scrub } from '../base/secret.ts';
import type { Caller } from '../policy/evaluate.ts';

/**
 * One thing that was decided or done.
 *
 * `identity.request` and `credentials.request` are what components asked for, each answered from memory or not.
 * `credentials.inject` is what a host asked for to add to a component's requests.
 * `credentials.redeem` is what somebody asked for at the token endpoint, followed by the request on a component's behalf.
 * `identity.mint` and `credentials.exchange` are what was asked upstream, refreshes in the background included.
 * `component.rights` is what the policy says to the host of a component, where it says no.
 * `workload_api.open` is a socket that was opened for a component, `token_file.request` a JWT-SVID for a file.
 * `session.open`, `session.revoke` and `session.expire` are the life of a session, `session.refuse` is a secret that is of none.
 * `host.authenticate` is a host on another machine that was refused, whatever it asked for.
 */
export type AuditAction =
  | 'identity.request'
  | 'credentials.request'
  | 'credentials.inject'
  | 'credentials.redeem'
  | 'identity.mint'
  | 'credentials.exchange'
  | 'component.rights'
  | 'workload_api.open'
  | 'token_file.request'
  | 'session.open'
  | 'session.revoke'
  | 'session.expire'
  | 'session.refuse'
  | 'host.authenticate';

/** What is known of the action; filled in while it runs. */
export interface AuditFields {
  /** Absent where it is not known yet whose grant is asked for. */
  component?: string;
  /** The SPIFFE ID of the host on another machine that asks; absent for hosts on this one. */
  host?: string;
  spiffeId?: string;
  audience?: readonly string[];
  grant?: string;
  /** What the grant is for, such as the ARN of a role. Never a credential. */
  target?: string;
  /** The ID of a session, which proves nothing. */
  session?: string;
  /** How many there were, where one event stands for several. */
  count?: number;
  /** SHA-256 of the JWT-SVID that was handed out or exchanged. */
  tokenSha256?: string;
  /** Who proved to be whom at the token endpoint, and SHA-256 of the JWT-SVID that proved it. */
  subject?: string;
  subjectTokenSha256?: string;
}

export interface AuditEvent extends Readonly<AuditFields> {
  readonly action: AuditAction;
  /** `denied` is the policy's no, or that of the list of hosts; `failed` is everything else that went wrong. */
  readonly outcome: 'ok' | 'denied' | 'failed';
  readonly code?: ErrorCode;
  readonly durationMs: number;
}

export interface Audit {
  /**
   * Runs `action` and records its outcome, whatever it is. The result goes through unchanged, and so does an error.
   * @throws SvidxError what `run` throws; `internal_error` for anything else
   */
  record<T>(action: AuditAction, fields: AuditFields, run: (fields: AuditFields) => Promise<T>): Promise<T>;
}

/** A clear no to somebody who is known. */
const DENIALS: readonly ErrorCode[] = ['policy_denied', 'host_denied'];

/** What an event says of who asks. */
export function callerFields({ component, session, host }: Caller): AuditFields {
  return {
    component,
    ...(session === undefined ? {} : { session }),
    ...(host === undefined ? {} : { host: host.spiffeId.toString() }),
  };
}

/** Audit events as log lines: `info` for what went well, `warn` for the rest. */
export function createAudit(options: { readonly logger: Logger; readonly clock: Clock }): Audit {
  const { logger, clock } = options;
  return {
    async record(action, fields, run) {
      const startedAt = clock.now();
      try {
        const result = await run(fields);
        logger.info({ audit: event(action, fields, startedAt, { outcome: 'ok' }) }, 'audit');
        return result;
      } catch (thrown) {
        const error = toSvidxError(thrown);
        const outcome = DENIALS.includes(error.code) ? 'denied' : 'failed';
        logger.warn(
          { audit: event(action, cleaned(fields), startedAt, { outcome, code: error.code }), error },
          'audit',
        );
        throw error;
      }
    },
  };

  function event(
    action: AuditAction,
    fields: AuditFields,
    startedAt: number,
    result: Pick<AuditEvent, 'outcome' | 'code'>,
  ): AuditEvent {
    return { action, ...fields, ...result, durationMs: clock.now() - startedAt };
  }
}

/** What was asked for in vain is text from outside: somebody may have put a token where a name belongs. */
function cleaned(fields: AuditFields): AuditFields {
  return {
    ...fields,
    ...(fields.component === undefined ? {} : { component: scrub(fields.component) }),
    ...(fields.host === undefined ? {} : { host: scrub(fields.host) }),
    ...(fields.audience === undefined ? {} : { audience: fields.audience.map((name) => scrub(name)) }),
    ...(fields.grant === undefined ? {} : { grant: scrub(fields.grant) }),
    ...(fields.subject === undefined ? {} : { subject: scrub(fields.subject) }),
  };
}
