import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { z } from 'zod';
import { durationSchema } from '../base/duration.ts';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Session, Sessions } from '../broker/sessions.ts';
import { grantFields } from '../credentials/grant-fields.ts';
import type { RemoteHost } from '../policy/evaluate.ts';
import { SESSIONS_PATH } from './broker-wire.ts';
import { sendFailure, sendJson } from './errors.ts';
import { callerFields, nameText, readJsonRequest } from './json-request.ts';

const sessionRequest = z.strictObject({
  ...callerFields,
  grant: nameText.optional(),
  ttl: durationSchema({ min: 60, max: 3600 }, '15m'),
});

/** When to try again where as many sessions as may be are open. */
const RETRY_SECONDS = 60;

const SESSION_PATH = /^\/v1\/sessions\/([A-Za-z0-9_-]{22})$/;

export interface SessionsAppOptions {
  readonly sessions: Sessions;
  readonly logger: Logger;
  /** Where SDKs ask, a URL without a trailing slash; `null` where they cannot. */
  readonly endpoint: string | null;
  /** The remote host that asks; `undefined` for whoever may open the private socket. */
  readonly host?: RemoteHost | undefined;
}

/**
 * Sessions for whoever may open the private socket, or for one remote host:
 *
 * - `POST /v1/sessions` `{component, grant?, ttl?, digest?}` opens one: `{session, secret, expiresAt, endpoint, grants}`
 * - `POST /v1/sessions/<id>` renews it, as its use does: `{session, expiresAt}`
 * - `DELETE /v1/sessions/<id>` ends it: `{session}`
 * @param next answers everything else
 */
export function createSessionsApp(
  { sessions, logger, endpoint, host }: SessionsAppOptions,
  next: RequestListener,
): RequestListener {
  async function open(request: IncomingMessage): Promise<object> {
    const { component, digest, grant, ttl } = await readJsonRequest(sessionRequest, request);
    const opened = await sessions.open({ caller: { component, digest, host }, grant, ttlMs: ttl * 1000 });
    const { session, policy, secret } = opened;
    const inSession = policy.grants.filter(
      ({ name, injection }) => injection === undefined && (grant === undefined || name === grant),
    );
    const grants = inSession.map(({ name, grant, inFile }) => grantFields(name, grant, inFile));
    return { ...sessionFields(session), secret: secret.reveal(), endpoint, grants };
  }

  async function answer(request: IncomingMessage, response: ServerResponse, id: string | undefined): Promise<void> {
    if (request.method === 'POST') {
      sendJson(response, 200, id === undefined ? await open(request) : sessionFields(sessions.renew(id, host)));
    } else if (request.method === 'DELETE' && id !== undefined) {
      await sessions.revoke(id, host);
      sendJson(response, 200, { session: id });
    } else {
      const allowed = id === undefined ? 'POST' : 'POST, DELETE';
      response.setHeader('Allow', allowed);
      throw new SvidxError('method_not_allowed', `this path answers ${allowed}`);
    }
  }

  return async (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    const [, id] = SESSION_PATH.exec(path) ?? [];
    if (id === undefined && path !== SESSIONS_PATH) {
      next(request, response);
      return;
    }
    try {
      await answer(request, response, id);
    } catch (thrown) {
      // Those that nobody uses end by themselves, one after the other.
      if (isFull(thrown)) response.setHeader('Retry-After', RETRY_SECONDS);
      sendFailure(response, thrown, logger);
    }
  };
}

function isFull(thrown: unknown): boolean {
  return thrown instanceof SvidxError && thrown.code === 'rate_limited';
}

function sessionFields({ id, expiresAt }: Session): { session: string; expiresAt: string } {
  return { session: id, expiresAt: new Date(expiresAt).toISOString() };
}
