import type { Clock, Timer } from '../base/clock.ts';
import type { SvidxError } from '../base/errors.ts';
import type { Audit, AuditFields } from './audit.ts';
import type { Session } from './sessions.ts';

/** Secrets that were shown where a session's is wanted, and are of none. */
export interface RefusedSecrets {
  /**
   * Notes one for the audit.
   * @param claimed the open session that it says to be of, where there is such a one
   */
  note(error: SvidxError, claimed: Session | undefined): void;
  /** Writes what was only counted so far. */
  close(): void;
}

/** After an event further ones are only counted, so that nobody fills the log by guessing. Milliseconds. */
export const QUIET_MS = 10_000;

/** What one event will stand for. */
interface Counted {
  readonly error: SvidxError;
  /** The session that all of them say to be of. */
  claimed: Session | undefined;
  count: number;
  readonly timer: Timer;
}

/** Audits refused secrets: the first at once, and what follows in one event each ten seconds, by its number. */
export function createRefusedSecrets({ audit, clock }: { audit: Audit; clock: Clock }): RefusedSecrets {
  let quietUntil = 0;
  let counted: Counted | undefined;

  function write({ error, claimed, count }: Omit<Counted, 'timer'>): void {
    quietUntil = clock.now() + QUIET_MS;
    const fields: AuditFields = {
      ...(claimed === undefined ? {} : { component: claimed.caller.component, session: claimed.id }),
      count,
    };
    const refuse = (): Promise<never> => Promise.reject(error);
    audit.record('session.refuse', fields, refuse).catch(() => {});
  }

  function flush(): void {
    if (counted === undefined) return;
    counted.timer.cancel();
    write(counted);
    counted = undefined;
  }

  return {
    note(error, claimed) {
      if (counted !== undefined) {
        counted.count += 1;
        if (counted.claimed !== claimed) counted.claimed = undefined;
        return;
      }
      const waitMs = quietUntil - clock.now();
      // Longer than it is ever quiet: the clock was set back.
      if (waitMs <= 0 || waitMs > QUIET_MS) write({ error, claimed, count: 1 });
      else counted = { error, claimed, count: 1, timer: clock.after(waitMs, flush) };
    },
    close: flush,
  };
}
