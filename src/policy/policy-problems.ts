import { tokenFileProblem } from '../credentials/token-file.ts';
import type { PolicyGrant } from './policy-grant.ts';

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The keys that grant something. */
export const GRANTING = ['audiences', 'grants', 'wasi', 'config', 'egress'] as const;

interface Related extends Partial<Record<(typeof GRANTING)[number] | 'tokenEndpoint', unknown>> {
  readonly digest?: string | undefined;
  readonly digestSelector: boolean;
  readonly audiences?: readonly string[] | undefined;
  readonly grants?: Readonly<Record<string, PolicyGrant>> | undefined;
  readonly files?: readonly string[] | undefined;
}

/** What is wrong with keys that are good each by itself. */
export function* policyProblems(policy: Related): Generator<Problem> {
  const { audiences = [], grants = {}, files = [] } = policy;
  if (GRANTING.every((key) => policy[key] === undefined)) {
    yield {
      path: [],
      message:
        'grants nothing: expected one of "audiences", "grants", "wasi", "config", "egress"; ' +
        '"wasi: []" for a component that needs nothing',
    };
  }
  if (policy.tokenEndpoint !== undefined) {
    const problem = tokenEndpointProblem(policy);
    if (problem !== undefined) yield { path: ['tokenEndpoint'], message: problem };
  }
  for (const [index, name] of files.entries()) {
    const message = fileProblem(Object.hasOwn(grants, name) ? grants[name] : undefined, audiences);
    if (message !== undefined) yield { path: ['files', index], message };
  }
  yield* sameTargets(grants);
}

function tokenEndpointProblem({ grants, digest, digestSelector }: Related): string | undefined {
  if (grants === undefined) return 'says nothing without "grants"';
  if (Object.values(grants).every(({ injection }) => injection !== undefined)) {
    return 'says nothing where all grants are only injected';
  }
  // Whoever comes with a JWT-SVID of its own runs no bytes that somebody has computed a digest of.
  if (digest !== undefined) return 'says nothing with "digest": nobody has one there';
  return digestSelector ? 'says nothing with "digestSelector": nobody has a digest there' : undefined;
}

/** Of two credentials for one place the host could not tell which to add. */
function* sameTargets(grants: Readonly<Record<string, PolicyGrant>>): Generator<Problem> {
  const seen = new Map<string, string>();
  for (const [name, { injection }] of Object.entries(grants)) {
    if (injection === undefined) continue;
    const { scheme, host, port } = injection;
    const target = `${scheme} ${host} ${port}`;
    const earlier = seen.get(target);
    if (earlier === undefined) seen.set(target, name);
    else
      yield {
        path: ['grants', name, 'inject'],
        message: `the grant ${JSON.stringify(earlier)} is injected there already`,
      };
  }
}

function fileProblem(named: PolicyGrant | undefined, audiences: readonly string[]): string | undefined {
  if (named === undefined) return 'expected the name of one of its grants';
  const { grant, injection } = named;
  if (injection !== undefined) return 'is only injected, never handed out';
  const problem = tokenFileProblem(grant);
  if (problem !== undefined || audiences.includes(grant.audience)) return problem;
  return `expected its audience ${JSON.stringify(grant.audience)} among "audiences"`;
}
