import { type Backoff, backoffDelay } from '../base/backoff.ts';
import { type CallBudget, createCallBudget } from '../base/call-budget.ts';
import { type CircuitBreaker, createCircuitBreaker } from '../base/circuit-breaker.ts';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Grant } from '../credentials/grant.ts';
import { upstreamOf } from '../credentials/upstream-of.ts';
import type { Exchanger } from './exchanger.ts';

export interface GuardOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
}

/**
 * How many exchanges begin in a second with one upstream, and at once. Well below what is documented, since others may
 * use the same quota, and an exchange is a call or two, and more where it is tried again.
 *
 * - AWS STS: 600 a second for an account and region (IAM user guide, quotas)
 * - Google Cloud: 6,000 token exchanges a minute for a project (IAM, quotas and limits)
 * - Entra ID, Vault and OAuth servers publish none, or leave it to whoever runs them
 */
export const EXCHANGES_PER_SECOND: Readonly<Record<Grant['kind'], number>> = {
  aws: 200,
  azure: 50,
  gcp: 50,
  vault: 50,
  oauth: 20,
};

/** As many as an adapter opens connections, and more than the broker refreshes at the same time. */
export const MAX_EXCHANGES = 50;
/** One identity alone has not every place: its calls may be the ones that hang. */
export const MAX_EXCHANGES_OF_ONE = 20;
/** What is left of the half minute that the broker gives a load is enough for the attempts of an adapter. Milliseconds. */
export const MAX_WAIT_MS = 10_000;

/**
 * Together with the time that the broker remembers a failure, both stay below five seconds: that is how long nobody notices
 * that a target is well again. Whoever made the last attempt waits for two intervals. Milliseconds.
 */
export const THROTTLE_PAUSE: Backoff = { firstMs: 500, maxMs: 4_000 };
export const PROBE_INTERVAL_MS = 2_000;

/** So many exchanges fail in a row, each after the attempts of its adapter, until a target counts as down. */
export const FAILURES_TO_OPEN = 5;

/** Beyond so many the one unused for longest starts over. */
const MAX_TARGETS = 1_000;

interface Target {
  readonly name: string;
  readonly budget: CallBudget;
  readonly breaker: CircuitBreaker;
  /** How many pauses for throttling there were in a row. */
  pauses: number;
}

/**
 * An exchanger that spares its targets, each by itself: a budget of calls, a growing pause when one throttles, and a breaker
 * when one is down.
 *
 * What is wrong with one grant is no business of the others. A target counts as throttling or down only by
 * `exchange_throttled` and `exchange_unavailable`, the latter from two identities at least; the budget goes round among the
 * identities that ask.
 */
export function createGuardedExchanger(exchanger: Exchanger, options: GuardOptions): Exchanger {
  const { clock, random, logger } = options;
  // A Map iterates in insertion order, and targets are inserted anew on use.
  const targets = new Map<string, Target>();

  function targetOf(grant: Grant): Target {
    const name = upstreamOf(grant);
    const target = targets.get(name) ?? createTarget(name, grant.kind);
    targets.delete(name);
    targets.set(name, target);
    const [oldest] = targets.keys();
    if (targets.size > MAX_TARGETS && oldest !== undefined) targets.delete(oldest);
    return target;
  }

  function createTarget(name: string, kind: Grant['kind']): Target {
    return {
      name,
      budget: createCallBudget({
        clock,
        perSecond: EXCHANGES_PER_SECOND[kind],
        maxRunning: MAX_EXCHANGES,
        maxRunningOfOne: MAX_EXCHANGES_OF_ONE,
        maxWaitMs: MAX_WAIT_MS,
        tooLongError: () => throttled(name, 'too many exchanges with the target are waiting'),
      }),
      breaker: createCircuitBreaker({
        clock,
        random,
        failures: FAILURES_TO_OPEN,
        probeIntervalMs: PROBE_INTERVAL_MS,
      }),
      pauses: 0,
    };
  }

  function succeeded(target: Target): void {
    target.pauses = 0;
    answered(target);
  }

  function answered({ name, breaker }: Target): void {
    if (breaker.openSince !== undefined) {
      logger.info({ event: 'exchange.breaker_closed', target: name }, 'the target answers again');
    }
    breaker.answered();
  }

  /** What a failed exchange says of its target; of a refused request, or an answer that is none, it is nothing. */
  function failed(target: Target, who: string, error: unknown): void {
    if (!(error instanceof SvidxError)) return;
    switch (error.code) {
      case 'exchange_unavailable':
        if (!target.breaker.failed(who)) return;
        logger.warn({ event: 'exchange.breaker_opened', target: target.name, error }, 'the target is down');
        return;
      case 'exchange_throttled':
        answered(target);
        if (target.budget.paused) return;
        target.budget.pause(backoffDelay(target.pauses, THROTTLE_PAUSE, random));
        target.pauses += 1;
        return;
      case 'exchange_denied':
      case 'exchange_token_rejected':
        succeeded(target);
        return;
    }
  }

  /** While the breaker is open, only the attempt that is due goes on. */
  function passBreaker({ name, breaker }: Target, who: string): void {
    if (breaker.openSince === undefined || breaker.admitProbe(who)) return;
    const since = new Date(breaker.openSince).toISOString();
    throw new SvidxError('exchange_unavailable', `the target cannot be reached or fails since ${since}`, {
      detail: `${name}: it was not asked; it is every few seconds`,
    });
  }

  return {
    async exchange(subjectToken, grant, context) {
      const target = targetOf(grant);
      const { budget, breaker } = target;
      const who = subjectToken.spiffeId.toString();

      const ask = async () => {
        passBreaker(target, who);
        try {
          const credentials = await exchanger.exchange(subjectToken, grant, context);
          succeeded(target);
          return credentials;
        } catch (error) {
          failed(target, who, error);
          throw error;
        }
      };

      if (budget.paused) throw throttled(target.name, 'the target is throttling and left alone for a moment');
      // Its budget may be used up by calls that hang, and what finds out whether they still would does not wait for them.
      return breaker.openSince === undefined ? budget.run(who, ask, context.signal) : ask();
    },
  };
}

function throttled(name: string, message: string): SvidxError {
  return new SvidxError('exchange_throttled', message, { detail: `${name}: it was not asked` });
}
