import type { Lifetime } from '../base/expiring-cache.ts';

/** AWS SDKs fetch anew on each request once less than this is left (milliseconds), so no fresh answer is that old. */
export const SDK_REFRESH_WINDOW_MS = 5 * 60_000;

/** Nothing is handed out in its last moments (milliseconds), or in the last tenth of its life where that is shorter. */
export const LAST_MOMENTS_MS = 10_000;

/**
 * How long a JWT-SVID that arrived just now serves: fresh for half of the life it has left, then renewed behind.
 *
 * SPIRE's agent itself renews at 45 to 55% of a token's life and returns the old one until then (SPIRE agent,
 * pkg/common/rotationutil). A refresh that brings the same token has half of what is left then, so it is asked for a second
 * time at three quarters, and hardly ever a third. What is kept back at the end is a share of the token's whole life and
 * not of what is left: it must not shrink each time the same token comes again.
 * @param svid its times, in milliseconds since 1970; without `issuedAt` its life is counted from its arrival
 * @param arrivedAt milliseconds since 1970
 */
export function svidLifetime(
  { issuedAt, expiresAt }: { readonly issuedAt: number | undefined; readonly expiresAt: number },
  arrivedAt: number,
): Lifetime {
  const wholeLife = expiresAt - Math.min(issuedAt ?? arrivedAt, arrivedAt);
  return { freshUntil: arrivedAt + (expiresAt - arrivedAt) / 2, usableUntil: expiresAt - lastMoments(wholeLife) };
}

/**
 * How long a credential that arrived just now serves: fresh until the larger of five minutes and a tenth of its life
 * before its end, or for half of its life where that is longer.
 * @param arrivedAt and `expiresAt`: milliseconds since 1970
 */
export function credentialLifetime(expiresAt: number, arrivedAt: number): Lifetime {
  const life = expiresAt - arrivedAt;
  const freshFor = Math.max(life - Math.max(SDK_REFRESH_WINDOW_MS, life / 10), life / 2);
  return { freshUntil: arrivedAt + freshFor, usableUntil: expiresAt - lastMoments(life) };
}

function lastMoments(life: number): number {
  return Math.min(LAST_MOMENTS_MS, life / 10);
}
