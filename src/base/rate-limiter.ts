export interface RateLimiterOptions {
  /** How many requests a client may make in a second, and how many of them at once. At least 1. */
  readonly perSecond: number;
  /** How many clients are remembered; beyond it the one that has been silent longest is forgotten. */
  readonly maxClients: number;
}

export interface RateLimiter {
  /**
   * Counts a request, unless the client has used up what it may make; a refused request is not counted.
   * @param now milliseconds since 1970
   * @returns 0 when it may be made, else the milliseconds after which the next one may
   */
  take(client: string, now: number): number;
}

/**
 * A token bucket for each client: it holds a second's worth, and fills as time goes.
 *
 * Each bucket is kept as the one moment at which it will be full again, which is all there is to know of it (the generic
 * cell rate algorithm, ITU-T I.371 annex A). A client that is forgotten starts over with a full bucket; one that has been
 * silent for a second has that anyway.
 */
export function createRateLimiter({ perSecond, maxClients }: RateLimiterOptions): RateLimiter {
  const intervalMs = 1000 / perSecond;
  const capacityMs = Math.max(1000, intervalMs);
  /** In the order of each client's last request. */
  const fullAt = new Map<string, number>();
  return {
    take(client, now) {
      const known = fullAt.get(client) ?? now;
      // Further ahead than a bucket is deep: the clock was set back, and nobody is to wait for it to catch up.
      const base = known < now || known > now + capacityMs + intervalMs ? now : known;
      const next = base + intervalMs;
      // A thousandth of a request more or less is what sums of fractions come to.
      const waitMs = next - now - capacityMs;
      if (waitMs > intervalMs / 1000) return waitMs;
      fullAt.delete(client);
      fullAt.set(client, next);
      if (fullAt.size > maxClients) {
        const [oldest] = fullAt.keys();
        if (oldest !== undefined) fullAt.delete(oldest);
      }
      return 0;
    },
  };
}
