import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { scrub } from '../base/secret.ts';
import type { AccessToken, AwsCredentials, Credentials } from '../credentials/credentials.ts';
import type { Grant } from '../credentials/grant.ts';
import type { AzureGrant } from '../credentials/grants/azure.ts';
import type { GcpGrant } from '../credentials/grants/gcp.ts';
import { SDK_REFRESH_WINDOW_MS } from '../credentials/lifetimes.ts';
import { type Caller, type Decision, evaluateAudience, evaluateKind, type NamedGrantOf } from '../policy/evaluate.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { callerFields, createAudit } from './audit.ts';
import type { Broker, Patience } from './broker.ts';
import type { Session, Sessions } from './sessions.ts';

/** What an SDK may ask in a session. Each throws `policy_denied`, `session_invalid`, `identity_*` or `exchange_*`. */
export interface SessionBroker {
  /** The AWS credentials of this grant. */
  aws(session: Session, grant: string): Promise<AwsCredentials>;
  /** The access token of the one Azure grant for this resource, and of this client where one is named. */
  azure(session: Session, wanted: AzureRequest): Promise<{ credentials: AccessToken; grant: AzureGrant }>;
  /**
   * The JWT-SVID that the grant's Google Cloud provider takes as subject token. This one leaves the service, so its
   * audience must be among the `audiences` of the policy too.
   */
  subjectToken(session: Session, grant: string): Promise<JwtSvid>;
}

export interface AzureRequest {
  /** The scope without `/.default`. */
  readonly resource: string;
  readonly clientId: string | undefined;
}

export interface SessionBrokerOptions {
  readonly broker: Broker;
  readonly sessions: Sessions;
  /** The policy set in force now. */
  policies(): PolicySet;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * SDKs ask again on each use of credentials that have less than that left; and of them the AWS SDK for JavaScript is
 * the least patient: it gives an answer a second (`@aws-sdk/credential-provider-http`).
 */
const SDK_PATIENCE: Patience = { minLifeMs: SDK_REFRESH_WINDOW_MS, waitMs: 600 };

/** Google Cloud, Security Token Service: `expires_in` of a federated access token. */
const FEDERATED_TOKEN_MS = 3_600_000;

/**
 * The broker for sessions: finds the grant that an SDK means, among those of the session's component alone.
 *
 * Session and policy are asked before the broker and once more with its answer in hand: what was revoked or taken
 * back meanwhile is not handed out. A session that got something lives on to the end of that, and its own time more,
 * since an SDK asks again only then.
 */
export function createSessionBroker(options: SessionBrokerOptions): SessionBroker {
  const { broker, sessions, policies, clock } = options;
  const audit = createAudit(options);

  async function answer<K extends Grant['kind'], T extends { readonly expiresAt: number }>(
    session: Session,
    decide: () => Decision<NamedGrantOf<K>>,
    ask: (granted: NamedGrantOf<K>) => Promise<T>,
    servesUntil: (result: T, granted: NamedGrantOf<K>) => number = ({ expiresAt }) => expiresAt,
  ): Promise<{ result: T; grant: NamedGrantOf<K>['grant'] }> {
    const decision = decide();
    if (!decision.allowed) return refuse(session, decision);
    const { granted } = decision;
    const result = await ask(granted);
    sessions.confirm(session);
    const now = decide();
    if (!now.allowed) return refuse(session, now);
    if (now.granted.fingerprint !== granted.fingerprint) {
      return refuse(session, { allowed: false, policy: now.policy, reason: 'its policy has just changed' });
    }
    sessions.extend(session, servesUntil(result, granted));
    return { result, grant: granted.grant };
  }

  function refuse({ caller, id: session }: Session, { policy, reason }: Refused): Promise<never> {
    const { component } = caller;
    const spiffeId = policy?.spiffeId.toString();
    const fields = { ...callerFields(caller), session, ...(spiffeId === undefined ? {} : { spiffeId }) };
    return audit.record('credentials.request', fields, async () => {
      // The reason repeats what was asked for, and somebody may have put a token where a name belongs.
      throw new SvidxError('policy_denied', scrub(`component ${JSON.stringify(component)}: ${reason}`));
    });
  }

  /** The one grant of this kind, of the session's component and in the session, that is wanted. */
  function decision<K extends Grant['kind']>(
    { caller, grant }: Session,
    kind: K,
    fits: (candidate: NamedGrantOf<K>) => boolean,
    wanted: string,
  ): () => Decision<NamedGrantOf<K>> {
    const inSession = (candidate: NamedGrantOf<K>): boolean => grant === undefined || candidate.name === grant;
    const where = grant === undefined ? wanted : `${wanted} in this session`;
    return () => evaluateKind(policies(), caller, kind, (candidate) => inSession(candidate) && fits(candidate), where);
  }

  return {
    async aws(session, grant) {
      const decide = decision(session, 'aws', ({ name }) => name === grant, JSON.stringify(grant));
      const { result } = await answer(session, decide, async ({ name }) =>
        ofKind('aws', await broker.credentials(callerIn(session), name, SDK_PATIENCE)),
      );
      return result;
    },

    async azure(session, { resource, clientId }) {
      const client = clientId?.toLowerCase();
      const decide = decision(
        session,
        'azure',
        ({ grant }) =>
          grant.scope === `${resource}/.default` && (client === undefined || grant.clientId.toLowerCase() === client),
        `for ${JSON.stringify(resource)}${clientId === undefined ? '' : ` and the client ${JSON.stringify(clientId)}`}`,
      );
      const { result, grant } = await answer(session, decide, async ({ name }) =>
        ofKind('azure', await broker.credentials(callerIn(session), name, SDK_PATIENCE)),
      );
      return { credentials: result, grant };
    },

    async subjectToken(session, grant) {
      const findGrant = decision(session, 'gcp', ({ name }) => name === grant, JSON.stringify(grant));
      const findHeld = (): ReturnType<typeof findGrant> => {
        const found = findGrant();
        if (!found.allowed) return found;
        const held = evaluateAudience(policies(), session.caller, [found.granted.grant.audience]);
        return held.allowed ? found : held;
      };
      const { result } = await answer(
        session,
        findHeld,
        (granted) => broker.identity(callerIn(session), [granted.grant.audience]),
        (_, granted) => clock.now() + accessTokenMs(granted.grant),
      );
      return result;
    },
  };
}

function callerIn({ caller, id }: Session): Caller {
  return { ...caller, session: id };
}

/** How long what Google gives for the subject token lives: a federated token for an hour at most. Milliseconds. */
function accessTokenMs({ serviceAccount, lifetimeSeconds }: GcpGrant): number {
  return serviceAccount === undefined ? FEDERATED_TOKEN_MS : lifetimeSeconds * 1000;
}

type Refused = Decision<unknown> & { allowed: false };

/** An exchange gives credentials of its grant's kind. */
function ofKind<K extends Credentials['kind']>(kind: K, credentials: Credentials): Extract<Credentials, { kind: K }> {
  if (isOfKind(kind, credentials)) return credentials;
  throw new SvidxError('internal_error', 'something went wrong inside svid-exchange', {
    detail: `an exchange for ${kind} gave credentials of ${credentials.kind}`,
  });
}

function isOfKind<K extends Credentials['kind']>(
  kind: K,
  credentials: Credentials,
): credentials is Extract<Credentials, { kind: K }> {
  return credentials.kind === kind;
}
