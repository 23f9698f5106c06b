import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Secret, scrub } from '../base/secret.ts';
import { type Caller, evaluateComponent, evaluateGrant, type RemoteHost } from '../policy/evaluate.ts';
import type { ComponentPolicy, PolicySet } from '../policy/policy-set.ts';
import { type AuditFields, callerFields, createAudit } from './audit.ts';
import { createRefusedSecrets } from './refused-secrets.ts';

/** One component's right to ask at the endpoints for SDKs, until it expires or is revoked. */
export interface Session {
  /** Names the session in logs and on the private socket; it proves nothing. */
  readonly id: string;
  readonly caller: Caller;
  /** The only grant that it is for; `undefined` for every grant of its component. */
  readonly grant: string | undefined;
  /** Milliseconds since 1970; later after each use. */
  readonly expiresAt: number;
}

export interface SessionRequest {
  readonly caller: Caller;
  readonly grant?: string | undefined;
  /** How long it lives without being used. Milliseconds. */
  readonly ttlMs: number;
}

export interface Sessions {
  /** How many are open. */
  readonly size: number;
  /**
   * Opens a session. Its secret is given this once, and only its SHA-256 is kept.
   * @throws SvidxError `policy_denied`, or `rate_limited` when as many as may be are open
   */
  open(request: SessionRequest): Promise<{ session: Session; policy: ComponentPolicy; secret: Secret }>;
  /**
   * The session of this secret, renewed.
   * @param host who shows it: a remote host, or `undefined` for programs on this machine. Each has its own sessions only
   * @throws SvidxError `session_invalid`, which is audited
   */
  authenticate(secret: string, host?: RemoteHost): Session;
  /** @throws SvidxError `session_invalid` when it has expired or was revoked since */
  confirm(session: Session): void;
  /** Lets it live on for its whole time after `until`, milliseconds since 1970. */
  extend(session: Session, until: number): void;
  /**
   * The same as a use, by whoever opened it.
   * @param host the remote host that asks, for a session of its own; `undefined` for the private socket, where all may be named
   * @throws SvidxError `session_invalid`
   */
  renew(id: string, host?: RemoteHost): Session;
  /**
   * Ends it at once.
   * @param host likewise
   * @throws SvidxError `session_invalid` when there is no such session
   */
  revoke(id: string, host?: RemoteHost): Promise<void>;
  /** Forgets them all. */
  close(): void;
}

export interface SessionsOptions {
  /** The policy set in force now. */
  policies(): PolicySet;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxSessions: number;
}

interface Held extends Session {
  readonly hash: Buffer;
  readonly ttlMs: number;
  expiresAt: number;
  timer: Timer;
}

/** The ID in 128 bits and what proves it in 256, both in base64url. */
const SECRET = /^([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43}$/;
const ID_BYTES = 16;
const PROOF_BYTES = 32;

/** What one remote host may have of all sessions, so that none keeps the others, or this machine, out. */
const HOST_SHARE = 1 / 10;

/** Compared with where there is no such session, so that an ID that exists takes no longer than one that does not. */
const NO_HASH = Buffer.alloc(32);

/**
 * The sessions of the endpoints that SDKs ask. Each is for one component, whatever it asks: no request names a component.
 *
 * When as many as may be are open a new one is refused and none is evicted: a program that runs keeps what it has, and
 * those that nobody uses end by themselves.
 */
export function createSessions(options: SessionsOptions): Sessions {
  const { policies, clock, maxSessions } = options;
  const audit = createAudit(options);
  const refused = createRefusedSecrets({ audit, clock });
  const held = new Map<string, Held>();

  function permit({ caller, grant }: SessionRequest, fields: AuditFields): ComponentPolicy {
    const decision =
      grant === undefined ? evaluateComponent(policies(), caller) : evaluateGrant(policies(), caller, grant);
    if (decision.policy !== undefined) fields.spiffeId = decision.policy.spiffeId.toString();
    if (decision.allowed) return decision.policy;
    throw new SvidxError('policy_denied', scrub(`component ${JSON.stringify(caller.component)}: ${decision.reason}`));
  }

  function find(id: string): Held | undefined {
    const session = held.get(id);
    return session !== undefined && clock.now() < session.expiresAt ? session : undefined;
  }

  function named(id: string, host: RemoteHost | undefined): Held {
    const session = find(id);
    if (session === undefined || (host !== undefined && !isOf(session, host))) throw noSuchSession();
    return session;
  }

  /** @throws SvidxError `rate_limited` */
  function makeRoom(host: RemoteHost | undefined): void {
    if (held.size >= maxSessions) {
      throw new SvidxError('rate_limited', `${maxSessions} sessions are open, and no more may be`);
    }
    if (host === undefined) return;
    const most = Math.ceil(maxSessions * HOST_SHARE);
    if ([...held.values()].filter((session) => isOf(session, host)).length < most) return;
    throw new SvidxError('rate_limited', `${most} sessions of this host are open, and no more may be`);
  }

  function live(session: Held, until: number): void {
    session.expiresAt = Math.max(session.expiresAt, until + session.ttlMs);
  }

  /** One timer a session: it looks again where the session was used meanwhile. */
  function watch(session: Held): void {
    session.timer = clock.after(session.expiresAt - clock.now(), () => {
      if (clock.now() < session.expiresAt) watch(session);
      else void end(session, 'session.expire');
    });
  }

  function end(session: Held, action: 'session.revoke' | 'session.expire'): Promise<void> {
    session.timer.cancel();
    held.delete(session.id);
    return audit.record(action, fieldsOf(session), async () => {});
  }

  return {
    get size() {
      return held.size;
    },

    open(request) {
      const { caller, grant, ttlMs } = request;
      return audit.record('session.open', fieldsOf(request), async (fields) => {
        const policy = permit(request, fields);
        makeRoom(caller.host);
        const id = randomBytes(ID_BYTES).toString('base64url');
        const secret = new Secret(`${id}.${randomBytes(PROOF_BYTES).toString('base64url')}`);
        const expiresAt = clock.now() + ttlMs;
        const timer = { cancel: () => {} };
        const session: Held = { id, caller, grant, ttlMs, expiresAt, hash: sha256(secret.reveal()), timer };
        held.set(id, session);
        watch(session);
        fields.session = id;
        return { session, policy, secret };
      });
    },

    authenticate(secret, host) {
      const [, id = ''] = SECRET.exec(secret) ?? [];
      const session = find(id);
      const matches = timingSafeEqual(sha256(secret), session?.hash ?? NO_HASH);
      if (session === undefined || !matches || !isOf(session, host)) {
        const error = noSuchSession();
        refused.note(error, session);
        throw error;
      }
      live(session, clock.now());
      return session;
    },

    confirm({ id }) {
      if (find(id) === undefined) throw noSuchSession();
    },

    extend({ id }, until) {
      const session = find(id);
      if (session !== undefined) live(session, until);
    },

    renew(id, host) {
      const session = named(id, host);
      live(session, clock.now());
      return session;
    },

    async revoke(id, host) {
      await end(named(id, host), 'session.revoke');
    },

    close() {
      refused.close();
      for (const { timer } of held.values()) timer.cancel();
      held.clear();
    },
  };
}

function fieldsOf({ caller, grant, id }: Pick<SessionRequest, 'caller' | 'grant'> & { id?: string }): AuditFields {
  return {
    ...callerFields(caller),
    ...(grant === undefined ? {} : { grant }),
    ...(id === undefined ? {} : { session: id }),
  };
}

function isOf({ caller }: Session, host: RemoteHost | undefined): boolean {
  if (caller.host === undefined || host === undefined) return caller.host === host;
  return caller.host.spiffeId.equals(host.spiffeId);
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

function noSuchSession(): SvidxError {
  return new SvidxError('session_invalid', 'the session is unknown, has expired or was revoked');
}
