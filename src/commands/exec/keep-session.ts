import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { OpenedSession, SessionClient } from '../../http/session-client.ts';

/** How long after a failed renewal the next is tried. Milliseconds. */
const RETRY_MS = 10_000;

/** Whatever the clocks say. Milliseconds. */
const MIN_WAIT_MS = 1_000;

/** Of the time that is left a third may pass, so that two renewals may fail. */
const SHARE = 1 / 3;

/**
 * Keeps a session open, whether it is used or not.
 * @returns the function that ends it, which never throws: a service that has gone has ended it as well
 */
export function keepSession(
  sessions: Pick<SessionClient, 'renew' | 'revoke'>,
  { session, expiresAt }: Pick<OpenedSession, 'session' | 'expiresAt'>,
  clock: Clock,
  logger: Logger,
): () => Promise<void> {
  let timer: Timer = { cancel: () => {} };
  let closed = false;

  function renewBefore(end: number): void {
    renewAfter(Math.max(MIN_WAIT_MS, (end - clock.now()) * SHARE));
  }

  function renewAfter(ms: number): void {
    if (closed) return;
    timer = clock.after(ms, () => {
      sessions.renew(session).then(renewBefore, (error: unknown) => {
        logger.warn({ event: 'exec.session_not_renewed', error }, 'the session may end before the program');
        renewAfter(RETRY_MS);
      });
    });
  }

  renewBefore(expiresAt);
  return async () => {
    closed = true;
    timer.cancel();
    await sessions.revoke(session).catch((error: unknown) => {
      logger.warn({ event: 'exec.session_not_revoked', error }, 'the session ends by itself');
    });
  };
}
