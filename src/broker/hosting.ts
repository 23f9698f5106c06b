import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { EgressRule } from '../policy/egress-rule.ts';
import { type Caller, type Decision, evaluateComponent } from '../policy/evaluate.ts';
import type { Injection } from '../policy/injection.ts';
import type { ComponentPolicy, PolicySet } from '../policy/policy-set.ts';
import type { WasiInterface } from '../policy/wasi-interface.ts';
import { callerFields, createAudit } from './audit.ts';
import { permitted } from './permitted.ts';

/** What a component may do in its host, beside what it asks the broker for. */
export interface ComponentRights {
  /** It may hold JWT-SVIDs of its own: the policy has `audiences`. */
  readonly identity: boolean;
  /** It may hold credentials: the policy has a grant without `inject`. */
  readonly credentials: boolean;
  /** The WASI interfaces that have something behind them. */
  readonly wasi: ReadonlySet<WasiInterface>;
  /** What `wasi:config/store` tells. */
  readonly config: ReadonlyMap<string, string>;
  /** Where it may send requests, those of `injections` included. */
  readonly egress: readonly EgressRule[];
  /** Where the host adds credentials to its requests; no two are for the same scheme, host and port. */
  readonly injections: readonly ComponentInjection[];
}

export interface ComponentInjection {
  /** Its name, to ask {@link Broker.injected} for. */
  readonly grant: string;
  readonly injection: Injection;
  /** Of an AWS grant: what is signed for. */
  readonly region: string | undefined;
}

/** What a component host asks before it runs anything, and again whenever it matters. */
export interface Hosting {
  /**
   * The rights of this component, by the policy in force now.
   * @throws SvidxError `policy_denied` where there is no policy, or not for these bytes
   */
  rights(caller: Caller): Promise<ComponentRights>;
}

export interface HostingOptions {
  /** The policy set in force now. */
  policies(): PolicySet;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The rights of components by the policies of this service. Only refusals are audited: a host asks on each request. */
export function createHosting(options: HostingOptions): Hosting {
  const { policies } = options;
  const audit = createAudit(options);
  return {
    async rights(caller) {
      const decision: Decision<ComponentPolicy> = evaluateComponent(policies(), caller);
      if (decision.allowed) return rightsOf(decision.policy);
      return audit.record('component.rights', callerFields(caller), async (fields) =>
        rightsOf(permitted(decision, caller, fields).policy),
      );
    },
  };
}

function rightsOf({ audiences, grants, wasi, config, egress }: ComponentPolicy): ComponentRights {
  return {
    identity: audiences.length > 0,
    credentials: grants.some(({ injection }) => injection === undefined),
    wasi: new Set(wasi),
    config: new Map(config),
    egress,
    injections: grants.flatMap(({ name, grant, injection }) =>
      injection === undefined
        ? []
        : [{ grant: name, injection, region: grant.kind === 'aws' ? grant.region : undefined }],
    ),
  };
}
