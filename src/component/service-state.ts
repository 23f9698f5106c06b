import { SvidxError } from '../base/errors.ts';
import type { Health } from '../base/health.ts';
import type { Logger } from '../base/logger.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import type { LoadedComponent } from './host.ts';

/** A component that answers requests. */
export interface Running {
  readonly loaded: LoadedComponent;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The policy set that was asked last, and allowed it. */
  allowedBy: PolicySet;
  /** What those are told who wait for it when the policy takes it out of service. */
  refusal?: SvidxError | undefined;
}

/** What of a hosted component is in service, and what is wrong. Something is wrong where nothing is. */
export type ServiceState = {
  /** Why what ran before may run no more. */
  readonly denial?: SvidxError | undefined;
} & (
  | {
      readonly running: Running;
      /** Why what the file holds does not run instead. */
      readonly trouble: SvidxError | undefined;
    }
  | {
      readonly running: undefined;
      /** Why what the file holds does not run. */
      readonly trouble: SvidxError;
    }
);

/** Not in service, for a reason that is nobody's fault. */
export function outOfService(why: string): ServiceState {
  return { running: undefined, trouble: new SvidxError('service_stopping', why) };
}

/** How the component is doing. The reasons may name its file. */
export function healthOf({ running, trouble, denial }: ServiceState): Health {
  if (running !== undefined) {
    const { loaded, since: lastGoodAt } = running;
    if (trouble === undefined) return { state: 'up', reason: `${loaded.digest} is in service`, lastGoodAt };
    const reason = `${loaded.digest} stays in service: ${describe(trouble)}`;
    return { state: 'degraded', code: trouble.code, reason, lastGoodAt };
  }
  const reasons = new Set([...(denial === undefined ? [] : [denial]), trouble].map(describe));
  return { state: 'down', code: (denial ?? trouble).code, reason: [...reasons].join('; ') };
}

function describe({ message, detail }: SvidxError): string {
  return detail === undefined ? message : `${message} (${detail})`;
}

/** Logs what is different now. */
export function logChange(logger: Logger, component: string, now: ServiceState, before: ServiceState): void {
  const { running, trouble, denial } = now;
  const digest = running?.loaded.digest;
  const old = before.running?.loaded.digest;
  if (running !== undefined && running !== before.running) {
    const event = old === undefined ? 'component.loaded' : 'component.replaced';
    logger.info({ event, component, digest, ...(old && { replaced: old }) }, 'a component is in service');
  }
  if (running === undefined && old !== undefined) {
    const event = 'component.stopped';
    logger.error({ event, component, digest: old, error: denial }, 'the policy does not allow a component any more');
  }
  if (trouble === undefined || trouble === denial || isSame(trouble, before.trouble)) return;
  logger.error(
    { event: 'component.load_failed', component, ...(digest && { digest }), error: trouble },
    digest === undefined ? 'a component is not in service' : 'a component is not replaced, the last good one stays',
  );
}

/** The same trouble again is no news. */
function isSame(one: SvidxError, other: SvidxError | undefined): boolean {
  return one.code === other?.code && one.message === other.message && one.detail === other.detail;
}
