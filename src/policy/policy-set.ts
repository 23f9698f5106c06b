import { createHash } from 'node:crypto';
import { SvidxError } from '../base/errors.ts';
import { parseYamlDocument, type YamlDocument } from '../base/yaml-document.ts';
import type { Grant } from '../credentials/grant.ts';
import type { Selector } from '../spiffe/selector.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { type PolicyDocument, policyDocument } from './document.ts';
import type { EgressRule } from './egress-rule.ts';
import { type Injection, impliedRule } from './injection.ts';
import type { WasiInterface } from './wasi-interface.ts';

/** One policy file: its name, as errors show it, and its text. */
export interface PolicyFile {
  readonly file: string;
  readonly text: string;
}

/** A credential that one component may have, under the name it asks for. */
export interface NamedGrant {
  readonly name: string;
  readonly grant: Grant;
  /** The same for the same grant of the same component with the same identity, and different for anything else. */
  readonly fingerprint: string;
  /** Whether its JWT-SVID may be written to a file. */
  readonly inFile: boolean;
  /** Where its credentials are injected: they are handed out to nobody then. `undefined` for a grant that is handed out. */
  readonly injection: Injection | undefined;
}

/** What one component may have. */
export interface ComponentPolicy {
  readonly component: string;
  readonly spiffeId: SpiffeId;
  readonly selectors: readonly Selector[];
  /**
   * The same for the same SPIFFE ID proved by the same selectors, and different for anything else: two components may
   * claim one SPIFFE ID, but only SPIRE can say which of them has it.
   */
  readonly identityFingerprint: string;
  /** The only bytes that are this component: `sha256:...`. */
  readonly digest: string | undefined;
  /** Whether SPIRE is told the digest of the bytes that run, as the selector `wasm:digest:sha256:...`. */
  readonly digestSelector: boolean;
  readonly audiences: readonly string[];
  readonly grants: readonly NamedGrant[];
  readonly wasi: readonly WasiInterface[];
  /** What `wasi:config/store` tells it. */
  readonly config: readonly (readonly [key: string, value: string])[];
  /** Where it may send requests, the targets of `inject` included. */
  readonly egress: readonly EgressRule[];
  /** Who else, or also, may have its grants at the token endpoint, by a JWT-SVID of its own. */
  readonly tokenSubjects: readonly SpiffeId[];
}

/** All policies, compiled as a whole; never changed, only replaced. */
export interface PolicySet {
  readonly components: readonly ComponentPolicy[];
  get(component: string): ComponentPolicy | undefined;
  /** The policies whose grants this SPIFFE ID may have at the token endpoint; no two of them name a grant alike. */
  admitting(subject: SpiffeId): readonly ComponentPolicy[];
}

/**
 * Compiles a set of policy files into a new value. All of them are good, or there is no set.
 * @param trustDomain the one whose SPIRE agent this service asks; identities of another cannot be had from it
 * @throws SvidxError `policy_invalid`, with a line for each problem in any of the files
 */
export function compilePolicies(files: readonly PolicyFile[], trustDomain: TrustDomain): PolicySet {
  const problems: string[] = [];
  const byName = new Map<string, ComponentPolicy>();
  const whereDefined = new Map<string, string>();
  const bySubject = new Map<string, ComponentPolicy[]>();

  for (const { file, text } of files) {
    const document = parseFile({ file, text }, problems);
    if (document === undefined) continue;
    const { component, spiffeId } = document.value;
    const earlier = whereDefined.get(component);
    if (earlier !== undefined) {
      problems.push(`${document.locate(['component'])}: component: ${component} is already defined at ${earlier}`);
    }
    if (!spiffeId.trustDomain.equals(trustDomain)) {
      problems.push(
        `${document.locate(['spiffeId'])}: spiffeId: expected an ID in the trust domain ${trustDomain.name}`,
      );
    }
    whereDefined.set(component, earlier ?? document.locate(['component']));
    const policy = compileDocument(document.value);
    byName.set(component, policy);
    // Of a component that is there twice, everything stands twice.
    if (earlier === undefined) admitSubjects(policy, document, bySubject, problems);
  }

  if (problems.length > 0) throw new SvidxError('policy_invalid', problems.join('\n'));
  return Object.freeze({
    components: Object.freeze([...byName.values()]),
    get: (component: string) => byName.get(component),
    admitting: (subject: SpiffeId) => bySubject.get(subject.toString()) ?? [],
  });
}

/** At the token endpoint a grant is asked for by its name alone, so it must be sure whose it is. */
function admitSubjects(
  policy: ComponentPolicy,
  { locate }: YamlDocument<PolicyDocument>,
  bySubject: Map<string, ComponentPolicy[]>,
  problems: string[],
): void {
  for (const [index, subject] of policy.tokenSubjects.entries()) {
    const others = bySubject.get(subject.toString()) ?? [];
    for (const { component, grants } of others) {
      const shared = policy.grants.find(
        ({ name, injection }) =>
          injection === undefined && grants.some((grant) => grant.name === name && grant.injection === undefined),
      );
      if (shared === undefined) continue;
      problems.push(
        `${locate(['tokenEndpoint', 'subjects', index])}: tokenEndpoint.subjects.${index}: ` +
          `has a grant ${JSON.stringify(shared.name)} of the component ${component} already`,
      );
    }
    bySubject.set(subject.toString(), [...others, policy]);
  }
}

function parseFile({ file, text }: PolicyFile, problems: string[]): YamlDocument<PolicyDocument> | undefined {
  try {
    return parseYamlDocument({ file, text, errorCode: 'policy_invalid' }, policyDocument);
  } catch (error) {
    if (!(error instanceof SvidxError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

function compileDocument({ component, spiffeId, selectors, ...document }: PolicyDocument): ComponentPolicy {
  const identityFingerprint = fingerprint(spiffeId, selectors);
  const grants = Object.entries(document.grants ?? {}).map(([name, { grant, injection }]) =>
    Object.freeze({
      name,
      grant,
      fingerprint: fingerprint(identityFingerprint, component, name, grant),
      inFile: document.files?.includes(name) ?? false,
      injection,
    }),
  );
  return Object.freeze({
    component,
    spiffeId,
    selectors: Object.freeze(selectors.map((selector) => Object.freeze(selector))),
    identityFingerprint,
    digest: document.digest,
    digestSelector: document.digestSelector,
    audiences: Object.freeze(document.audiences ?? []),
    grants: Object.freeze(grants),
    wasi: Object.freeze(document.wasi ?? []),
    config: Object.freeze(Object.entries(document.config ?? {}).map((entry) => Object.freeze(entry))),
    egress: Object.freeze([
      ...(document.egress ?? []),
      ...grants.flatMap(({ injection }) => (injection === undefined ? [] : [impliedRule(injection)])),
    ]),
    tokenSubjects: Object.freeze(document.tokenEndpoint?.subjects ?? []),
  });
}

/** SHA-256 of a list of parts: as JSON, so that no two lists read the same, whatever the parts hold. */
function fingerprint(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
