import type { EgressRule } from '../policy/egress-rule.ts';
import type { Caller } from '../policy/evaluate.ts';
import type { Injection } from '../policy/injection.ts';
import type { WasiInterface } from '../policy/policy-set.ts';

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
