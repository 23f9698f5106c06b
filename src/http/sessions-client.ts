import { z } from 'zod';
import { Secret } from '../base/secret.ts';
import type { Caller } from '../policy/evaluate.ts';
import { createPrivateSocketClient } from './private-socket-client.ts';
import { type GrantFields, SESSIONS_PATH } from './sessions-wire.ts';

const inFile = z.literal(true).optional();
const named = { name: z.string(), inFile };

const grantAnswer = z.discriminatedUnion('kind', [
  z.object({ ...named, kind: z.literal('aws'), region: z.string() }),
  z.object({ ...named, kind: z.literal('azure'), tenantId: z.string(), clientId: z.string() }),
  z.object({
    ...named,
    kind: z.literal('gcp'),
    provider: z.string(),
    serviceAccount: z.string().optional(),
    lifetimeSeconds: z.number(),
  }),
  z.object({ ...named, kind: z.enum(['vault', 'oauth']) }),
]);

/** A grant of the session's component. */
export type SessionGrant = z.output<typeof grantAnswer>;
export type SessionGrantOf<K extends GrantFields['kind']> = Extract<SessionGrant, { kind: K }>;

const renewAnswer = z.object({ expiresAt: z.iso.datetime() });
const openAnswer = renewAnswer.extend({
  session: z.string().regex(/^[A-Za-z0-9_-]+$/),
  secret: z.string().min(1),
  endpoint: z.string().nullable(),
  grants: z.array(grantAnswer),
});

/** A session that a service elsewhere on this machine has opened. */
export interface OpenSession {
  readonly secret: Secret;
  /** Where SDKs ask, a URL without a trailing slash; `null` where they cannot. */
  readonly endpoint: string | null;
  readonly grants: readonly SessionGrant[];
  /** Milliseconds since 1970; later after each use. */
  readonly expiresAt: number;
  /**
   * The same as a use.
   * @returns when it expires now
   * @throws SvidxError `session_invalid`, `service_unreachable`
   */
  renew(): Promise<number>;
  /** @throws SvidxError `session_invalid`, `service_unreachable` */
  revoke(): Promise<void>;
}

export interface SessionsClient {
  /**
   * @param grant the only one that it is for; `undefined` for every grant of the component
   * @throws SvidxError `policy_denied`, `rate_limited`, `service_unreachable`
   */
  open(caller: Caller, grant: string | undefined): Promise<OpenSession>;
}

export function createSessionsClient(brokerSocket: string): SessionsClient {
  const client = createPrivateSocketClient(brokerSocket);
  return {
    async open({ component, digest }, grant) {
      const answer = await client.ask(SESSIONS_PATH, { component, digest, grant }, openAnswer);
      const path = `${SESSIONS_PATH}/${answer.session}`;
      return {
        secret: new Secret(answer.secret),
        endpoint: answer.endpoint,
        grants: answer.grants,
        expiresAt: Date.parse(answer.expiresAt),
        renew: async () => Date.parse((await client.ask(path, {}, renewAnswer)).expiresAt),
        revoke: () => client.end(path),
      };
    },
  };
}
