import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { toSvidxError } from '../../src/base/errors.ts';
import type { Broker } from '../../src/broker/broker.ts';
import { svidLifetime } from '../../src/credentials/lifetimes.ts';
import type { JwtSvid } from '../../src/spiffe/jwt-svid.ts';

/** What somebody asks for again and again. */
export interface Wish {
  readonly component: string;
  readonly spiffeId: string;
  readonly audience: string;
}

export interface Tally {
  requests: number;
  /** Failures while the token handed out last was still usable. There must be none. */
  lost: number;
  /** All failures, by code. */
  readonly failures: Map<string, number>;
  /** Seconds into the run of the first and of the last failure. */
  failedFrom: number | undefined;
  failedTo: number | undefined;
  /** Tokens that did not verify, by reason. There must be none. */
  readonly unverified: Map<string, number>;
  /** Tokens whose key was published only after they had been handed out. */
  lateKeys: number;
  /** Milliseconds: of requests that came while a usable token was in hand, and of all that succeeded. */
  readonly inHandLatencies: number[];
  readonly latencies: number[];
  /** The IDs of the keys that tokens were signed with. */
  readonly keyIds: Set<string>;
}

/** How long a verifier waits for a key that it does not find, as a careful one does. Milliseconds. */
const KEY_WAIT_MS = 2_000;

/**
 * Asks over the private socket and verifies what comes, knowing no more than the issuer's URL and its published keys.
 * @param broker a client of the private socket
 */
export function createRequests(options: { broker: Broker; issuer: string; keysUrl: string }) {
  const { broker, issuer } = options;
  const keys = createRemoteJWKSet(new URL(options.keysUrl), { cooldownDuration: 0 });
  const startedAt = Date.now();
  const usableUntil = new Map<Wish, number>();
  const tally: Tally = {
    requests: 0,
    lost: 0,
    failures: new Map(),
    failedFrom: undefined,
    failedTo: undefined,
    unverified: new Map(),
    lateKeys: 0,
    inHandLatencies: [],
    latencies: [],
    keyIds: new Set(),
  };

  async function request(wish: Wish): Promise<void> {
    tally.requests += 1;
    const asked = performance.now();
    const hadOne = (usableUntil.get(wish) ?? 0) > Date.now();
    try {
      const svid = await broker.identity({ component: wish.component }, [wish.audience]);
      const latency = performance.now() - asked;
      tally.latencies.push(latency);
      if (hadOne) tally.inHandLatencies.push(latency);
      const until = svidLifetime(svid, Date.now()).usableUntil;
      usableUntil.set(wish, Math.max(until, usableUntil.get(wish) ?? 0));
      tally.keyIds.add(svid.keyId ?? '(none)');
      await verify(svid, wish);
    } catch (error) {
      const second = (Date.now() - startedAt) / 1000;
      tally.failedFrom ??= second;
      tally.failedTo = second;
      count(tally.failures, toSvidxError(error).code);
      if ((usableUntil.get(wish) ?? 0) > Date.now()) tally.lost += 1;
    }
  }

  async function verify(svid: JwtSvid, { audience, spiffeId }: Wish): Promise<void> {
    const giveUpAt = Date.now() + KEY_WAIT_MS;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await jwtVerify(svid.token.reveal(), keys, { issuer, audience, subject: spiffeId, algorithms: ['ES256'] });
        if (attempt > 0) tally.lateKeys += 1;
        return;
      } catch (error) {
        if (error instanceof errors.JWKSNoMatchingKey && Date.now() < giveUpAt) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          continue;
        }
        count(tally.unverified, error instanceof errors.JOSEError ? error.code : String(error));
        return;
      }
    }
  }

  return { request, tally };
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
