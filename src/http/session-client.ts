import { z } from 'zod';
import { Secret } from '../base/secret.ts';
import { type GrantFields, grantFieldsSchema } from '../credentials/grant-fields.ts';
import type { Caller } from '../policy/evaluate.ts';
import { SESSIONS_PATH } from './broker-wire.ts';
import { createSocketClient } from './socket-client.ts';

/** A session that was opened at a service, with what a program needs to ask in it. */
export interface OpenedSession {
  readonly session: string;
  readonly secret: Secret;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Where SDKs ask: a URL without a trailing slash; `null` where the service has no endpoints for them. */
  readonly endpoint: string | null;
  readonly grants: readonly GrantFields[];
}

/** Opens and ends sessions at a service. Each throws the error it had there, or `service_unreachable`. */
export interface SessionClient {
  /** @param ttl how long it lives without being used, such as `15m` */
  open(caller: Caller, options?: { grant?: string | undefined; ttl?: string | undefined }): Promise<OpenedSession>;
  /** @returns when it ends if nobody uses it, in milliseconds since 1970 */
  renew(session: string): Promise<number>;
  revoke(session: string): Promise<void>;
}

const time = z.iso.datetime().transform((text) => Date.parse(text));

const openAnswer = z.object({
  session: z.string(),
  secret: z.string().transform((text) => new Secret(text)),
  expiresAt: time,
  endpoint: z.string().nullable(),
  grants: z.array(grantFieldsSchema),
});

/** The sessions of a service that runs elsewhere on this machine, over its private socket. */
export function createSessionClient(socketPath: string): SessionClient {
  const client = createSocketClient(socketPath);
  return {
    open: ({ component, digest }, options = {}) =>
      client.ask('POST', SESSIONS_PATH, { component, digest, ...options }, openAnswer),
    async renew(session) {
      const answer = z.object({ expiresAt: time });
      return (await client.ask('POST', `${SESSIONS_PATH}/${session}`, undefined, answer)).expiresAt;
    },
    async revoke(session) {
      await client.ask('DELETE', `${SESSIONS_PATH}/${session}`, undefined, z.object({ session: z.string() }));
    },
  };
}
