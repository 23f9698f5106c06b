import { SvidxError } from '../base/errors.ts';
import type { Grant } from '../credentials/grant.ts';
import type { Audience } from '../spiffe/audience.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { DIGEST } from './digest.ts';
import type { Injection } from './injection.ts';
import type { ComponentPolicy, NamedGrant, PolicySet } from './policy-set.ts';

/** A host on another machine: who it has proved to be, and the only components that it may name. */
export interface RemoteHost {
  readonly spiffeId: SpiffeId;
  readonly components: readonly string[];
}

/** Who asks: a component, and the digest of its bytes where the asking host has computed it. */
export interface Caller {
  readonly component: string;
  /** `sha256:...`, computed by the host from the bytes that run; `undefined` where nobody has computed it. */
  readonly digest?: string | undefined;
  /** The ID of the session in which it asks. The audit names it; no policy looks at it. */
  readonly session?: string | undefined;
  /** Where it says that it runs; `undefined` for this machine, whose hosts may name every component. */
  readonly host?: RemoteHost | undefined;
}

/** The answer of the policy: yes with what was granted, or no with a reason that may be shown to the caller. */
export type Decision<T> =
  | { readonly allowed: true; readonly policy: ComponentPolicy; readonly granted: T }
  | { readonly allowed: false; readonly policy: ComponentPolicy | undefined; readonly reason: string };

/** May this component hold a JWT-SVID for all of these audiences? */
export function evaluateAudience(set: PolicySet, caller: Caller, audience: Audience): Decision<Audience> {
  return evaluate(set, caller, (policy) => {
    const denied = audience.find((name) => !policy.audiences.includes(name));
    return denied === undefined
      ? { granted: audience }
      : { reason: `the audience ${JSON.stringify(denied)} is not granted to it` };
  });
}

/** May this component have the credentials of this name? A grant with `inject` is handed out to nobody. */
export function evaluateGrant(set: PolicySet, caller: Caller, name: string): Decision<NamedGrant> {
  return evaluate(set, caller, ({ grants }) => {
    const granted = grants.find((grant) => grant.name === name);
    if (granted === undefined) return { reason: noSuchGrant(name) };
    return granted.injection === undefined ? { granted } : { reason: onlyInjected(name) };
  });
}

/** A grant whose credentials the host adds to requests. */
export type InjectedGrant = NamedGrant & { readonly injection: Injection };

/** May the host of this component add the credentials of this name to its requests? */
export function evaluateInjection(set: PolicySet, caller: Caller, name: string): Decision<InjectedGrant> {
  return evaluate(set, caller, ({ grants }) => {
    const granted = grants.find((grant) => grant.name === name);
    if (granted === undefined) return { reason: noSuchGrant(name) };
    return isInjected(granted) ? { granted } : { reason: `the grant ${JSON.stringify(name)} has no "inject"` };
  });
}

function isInjected(grant: NamedGrant): grant is InjectedGrant {
  return grant.injection !== undefined;
}

function noSuchGrant(name: string): string {
  return `it has no grant ${JSON.stringify(name)}`;
}

function onlyInjected(name: string): string {
  return `the grant ${JSON.stringify(name)} is only injected, never handed out`;
}

/** May the JWT-SVID of this grant be in a file? */
export function evaluateTokenFile(set: PolicySet, caller: Caller, name: string): Decision<NamedGrant> {
  const decision = evaluateGrant(set, caller, name);
  if (!decision.allowed || decision.granted.inFile) return decision;
  const reason = `its policy does not list the grant ${JSON.stringify(name)} under "files"`;
  return { allowed: false, policy: decision.policy, reason };
}

/** A grant of one kind of target. */
export type NamedGrantOf<K extends Grant['kind']> = NamedGrant & { readonly grant: Extract<Grant, { kind: K }> };

/**
 * May this component have credentials of this kind that fit? An SDK names them in its own way, which must come to one grant.
 * @param wanted what is asked for, as the reason of a refusal has it
 */
export function evaluateKind<K extends Grant['kind']>(
  set: PolicySet,
  caller: Caller,
  kind: K,
  fits: (candidate: NamedGrantOf<K>) => boolean,
  wanted: string,
): Decision<NamedGrantOf<K>> {
  const isOfKind = (candidate: NamedGrant): candidate is NamedGrantOf<K> => candidate.grant.kind === kind;
  return evaluate(set, caller, ({ grants }) => {
    const fitting = grants.filter(isOfKind).filter(fits);
    const [granted, another] = fitting.filter((grant) => !isInjected(grant));
    const [injected] = fitting;
    if (granted === undefined) {
      return { reason: injected === undefined ? `it has no ${kind} grant ${wanted}` : onlyInjected(injected.name) };
    }
    return another === undefined ? { granted } : { reason: `it has several ${kind} grants ${wanted}` };
  });
}

/** May this component have anything at all? */
export function evaluateComponent(set: PolicySet, caller: Caller): Decision<ComponentPolicy> {
  return evaluate(set, caller, (policy) => ({ granted: policy }));
}

/** Whose grant of this name may whoever has proved to be this SPIFFE ID have at the token endpoint? */
export function evaluateSubject(set: PolicySet, subject: SpiffeId, name: string): Decision<NamedGrant> {
  for (const policy of set.admitting(subject)) {
    const granted = policy.grants.find((grant) => grant.name === name && !isInjected(grant));
    if (granted !== undefined) return { allowed: true, policy, granted };
  }
  return { allowed: false, policy: undefined, reason: noSuchGrant(name) };
}

/** @throws SvidxError `request_invalid` for a digest that is none: it may become a part of what SPIRE is told */
function evaluate<T>(
  set: PolicySet,
  caller: Caller,
  check: (policy: ComponentPolicy) => { granted: T } | { reason: string },
): Decision<T> {
  if (caller.digest !== undefined && !DIGEST.test(caller.digest)) {
    throw new SvidxError('request_invalid', 'digest: expected "sha256:" and 64 hexadecimal digits in lower case');
  }
  const { host } = caller;
  // Before the policy is looked for: a host is not told which components there are.
  if (host !== undefined && !host.components.includes(caller.component)) {
    return { allowed: false, policy: undefined, reason: `the host ${host.spiffeId} may not name it` };
  }
  const policy = set.get(caller.component);
  if (policy === undefined) return { allowed: false, policy, reason: 'no policy names it' };
  if (caller.digest === undefined && (policy.digest !== undefined || policy.digestSelector)) {
    return { allowed: false, policy, reason: 'its policy wants the digest of its bytes, and nobody has said it' };
  }
  if (policy.digest !== undefined && policy.digest !== caller.digest) {
    return {
      allowed: false,
      policy,
      reason: `its bytes are not the ones its policy allows: they are ${caller.digest}`,
    };
  }
  const result = check(policy);
  return 'granted' in result
    ? { allowed: true, policy, granted: result.granted }
    : { allowed: false, policy, reason: result.reason };
}
