import { z } from 'zod';

/** One string or a list of them, as IAM's JSON allows nearly everywhere. */
const oneOrMore = z.union([z.string().transform((value) => [value]), z.array(z.string()).min(1)]);

/** What IAM calls an operator; only those that AWS documents for web identity are here, and any other is refused. */
const OPERATORS: Readonly<Record<string, (pattern: string, value: string) => boolean>> = {
  StringEquals: (expected, value) => expected === value,
  StringLike: wildcardMatch,
};

const statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.union([z.strictObject({ Federated: oneOrMore }), z.strictObject({ AWS: oneOrMore })]),
  Action: oneOrMore,
  Condition: z
    .record(
      z.string().refine((name) => Object.hasOwn(OPERATORS, name), 'unknown condition operator'),
      z.record(z.string(), oneOrMore),
    )
    .default({}),
});

/** The trust policy of a role, as JSON (IAM user guide, JSON policy elements), for web identity and for other roles. */
export const trustPolicyDocument = z.strictObject({
  Version: z.literal('2012-10-17'),
  Statement: z.array(statement).min(1),
});

export type TrustPolicy = z.output<typeof trustPolicyDocument>;

export interface AssumeRequest {
  readonly action: 'sts:AssumeRoleWithWebIdentity' | 'sts:AssumeRole';
  /** Who asks: the ARN of an OIDC provider (`Federated`) or of a role (`AWS`). */
  readonly principal: string;
  /** The values of the condition keys, such as `oidc.example.com:sub`. */
  readonly context: ReadonlyMap<string, string>;
}

/** Whether the policy lets this principal assume the role: an Allow that matches, and no Deny that does. */
export function allows(policy: TrustPolicy, request: AssumeRequest): boolean {
  const effects = policy.Statement.filter((candidate) => applies(candidate, request)).map(({ Effect }) => Effect);
  return effects.includes('Allow') && !effects.includes('Deny');
}

function applies(candidate: TrustPolicy['Statement'][number], { action, principal, context }: AssumeRequest): boolean {
  const principals = 'AWS' in candidate.Principal ? candidate.Principal.AWS : candidate.Principal.Federated;
  if (!principals.includes(principal) || !candidate.Action.includes(action)) return false;
  // Every operator and every key must hold; of a key's values, any.
  return Object.entries(candidate.Condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, expected]) => {
      const value = context.get(key);
      const holds = OPERATORS[operator];
      return value !== undefined && holds !== undefined && expected.some((pattern) => holds(pattern, value));
    }),
  );
}

/** IAM's wildcards: `*` is any run of characters, `?` any one; everything else is itself. */
export function wildcardMatch(pattern: string, value: string): boolean {
  let p = 0;
  let v = 0;
  let star = -1;
  let resume = 0;
  while (v < value.length) {
    if (pattern[p] === '*') {
      star = p;
      resume = v;
      p += 1;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === value[v])) {
      p += 1;
      v += 1;
    } else if (star !== -1) {
      // Let the last star take one character more, and try from there.
      p = star + 1;
      resume += 1;
      v = resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
