import type { ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { SvidxError } from '../../base/errors.ts';
import { createRateLimiter } from '../../base/rate-limiter.ts';

export interface SessionLimitsOptions {
  readonly clock: Clock;
  /** What one session may ask in a second, and at once. */
  readonly requestsPerSecond: number;
  /** How many of its requests may be under way at the same time. */
  readonly maxUnderWay: number;
  readonly maxSessions: number;
}

/**
 * Limits what one session may ask, so that no program keeps the others waiting.
 * @returns a function that counts a request, until its answer has gone or its caller has; it throws `rate_limited` and sets
 *   `Retry-After`
 */
export function createSessionLimits(options: SessionLimitsOptions): (id: string, response: ServerResponse) => void {
  const { clock, requestsPerSecond, maxUnderWay, maxSessions } = options;
  const limiter = createRateLimiter({ perSecond: requestsPerSecond, maxClients: maxSessions });
  const underWay = new Map<string, number>();

  function refuse(response: ServerResponse, seconds: number, problem: string): never {
    response.setHeader('Retry-After', seconds);
    throw new SvidxError('rate_limited', problem);
  }

  return (id, response) => {
    const waitMs = limiter.take(id, clock.now());
    if (waitMs > 0) refuse(response, Math.ceil(waitMs / 1000), 'too many requests in this session');
    const count = underWay.get(id) ?? 0;
    if (count >= maxUnderWay) refuse(response, 1, 'too many requests of this session are under way');
    underWay.set(id, count + 1);
    response.once('close', () => {
      const left = (underWay.get(id) ?? 0) - 1;
      if (left > 0) underWay.set(id, left);
      else underWay.delete(id);
    });
  };
}
