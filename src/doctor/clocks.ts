import type { Minted } from './entries.ts';
import { type Finding, ok } from './walk.ts';

/** Clocks that are further apart than this will sooner or later make somebody refuse a token. Milliseconds. */
const WARN_MS = 30_000;

const ADVICE =
  'Clouds go by their own clocks, which are right. Compare "date -u" here, at the SPIRE server and at the issuer with\n' +
  'a clock that is right, and keep all of them so (NTP).';

/**
 * Whether this machine's clock agrees with the SPIRE server's, as tokens show it, and with the issuer's.
 * @param clockAheadMs how far the issuer's clock is ahead of ours, in milliseconds, if that is known
 * @param now milliseconds since 1970
 */
export function judgeClocks(
  minted: readonly Minted[],
  clockAheadMs: number | undefined,
  now: number,
): Finding<undefined> {
  for (const { policy, svid } of minted) {
    if (svid.expiresAt <= now) {
      return {
        status: 'fail',
        saw: `a token of ${policy.component}, just issued, expired ${inWords(now - svid.expiresAt)} ago by this clock`,
        advice: ADVICE,
        code: 'token_expired',
      };
    }
  }
  // The agent hands out tokens for half of their life, so only one from the future says something of the clocks.
  const latest = Math.max(...minted.map(({ svid }) => svid.issuedAt ?? 0));
  const ahead: readonly (readonly [string, number])[] = [
    ['the SPIRE server', minted.length === 0 ? 0 : Math.max(0, latest - now)],
    ['the issuer', clockAheadMs ?? 0],
  ];
  for (const [whose, ms] of ahead) {
    if (Math.abs(ms) > WARN_MS) {
      return {
        status: 'warn',
        saw: `the clock of ${whose} is ${inWords(Math.abs(ms))} ${ms > 0 ? 'ahead of' : 'behind'} this one`,
        advice: ADVICE,
        value: undefined,
      };
    }
  }
  return ok(`as far as can be seen, within ${WARN_MS / 1000} seconds of each other`);
}

function inWords(ms: number): string {
  return ms < 600_000 ? `${Math.round(ms / 1000)} seconds` : `${Math.round(ms / 60_000)} minutes`;
}
