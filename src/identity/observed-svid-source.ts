import type { Clock } from '../base/clock.ts';
import { type SvidxError, toSvidxError } from '../base/errors.ts';
import type { Health } from '../base/health.ts';
import type { JwtSvidSource } from './source.ts';

/** A source of JWT-SVIDs that tells how the last request went. */
export interface ObservedJwtSvidSource extends JwtSvidSource {
  /** Never `down`: identities and credentials that are held serve on. */
  health(): Health;
}

/**
 * Watches a source of JWT-SVIDs. Only what is wrong with the source itself counts: one component without an identity says
 * nothing of the next.
 */
export function createObservedJwtSvidSource(source: JwtSvidSource, clock: Clock): ObservedJwtSvidSource {
  let problem: SvidxError | undefined;
  let lastGoodAt: number | undefined;
  const good = (): void => {
    problem = undefined;
    lastGoodAt = clock.now();
  };
  return {
    async fetchJwtSvid(subject, audience, signal) {
      try {
        const svid = await source.fetchJwtSvid(subject, audience, signal);
        good();
        return svid;
      } catch (error) {
        if (!signal.aborted) observe(toSvidxError(error));
        throw error;
      }
    },
    health() {
      const since = lastGoodAt === undefined ? {} : { lastGoodAt };
      if (problem !== undefined) return { state: 'degraded', code: problem.code, reason: problem.message, ...since };
      const reason = lastGoodAt === undefined ? 'no identity was asked for yet' : 'the last request was answered';
      return { state: 'up', reason, ...since };
    },
  };

  function observe(error: SvidxError): void {
    if (error.code === 'identity_not_found' || error.code === 'identity_mismatch') good();
    else problem = error;
  }
}
