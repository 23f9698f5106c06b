import { z } from 'zod';
import { toSvidxError } from '../base/errors.ts';
import { type Grant, grantSchema } from '../credentials/grant.ts';
import { audienceText } from '../credentials/grants/audience.ts';
import { tokenFileProblem } from '../credentials/token-file.ts';
import { parseSelector } from '../spiffe/selector.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';

/** Bounds on what one document may hold: far above real use, and low enough that no file can exhaust the service. */
const MAX_ITEMS = 100;

export const spiffeIdText = z
  .string()
  .meta({ pattern: '^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)*$' })
  .transform((text, context) => {
    try {
      return SpiffeId.parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: toSvidxError(error).message });
      return z.NEVER;
    }
  });

export const selectorText = z
  .string()
  .max(2048)
  .meta({ pattern: '^[^:]+:.+$' })
  .transform((text, context) => {
    const selector = parseSelector(text);
    if (selector !== undefined) return selector;
    context.addIssue({ code: 'custom', message: 'expected a selector "type:value"' });
    return z.NEVER;
  });

/** Names are compared byte by byte and never used in a path, so the set is wide; it must only be printable. */
export const componentName = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/, 'expected a component name of letters, digits and . _ : / @ -');

export const grantName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'expected a grant name of letters, digits and . _ -');

/** `sha256:` and 64 hexadecimal digits in lower case. */
export const digestText = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected "sha256:" and 64 hexadecimal digits');

/** A list that says something: not empty, not endless, and nothing in it twice. */
export function list<T extends z.ZodType>(item: T, whenEmpty: string) {
  return z
    .array(item)
    .min(1, whenEmpty)
    .max(MAX_ITEMS)
    .refine((items) => new Set(items.map((entry) => JSON.stringify(entry))).size === items.length, 'has an entry twice')
    .meta({ uniqueItems: true });
}

function fileProblem(grant: Grant | undefined, audiences: readonly string[]): string | undefined {
  if (grant === undefined) return 'expected the name of one of its grants';
  const problem = tokenFileProblem(grant);
  if (problem !== undefined || audiences.includes(grant.audience)) return problem;
  return `expected its audience ${JSON.stringify(grant.audience)} among "audiences"`;
}

/** The policy of one component, as written in `policies/*.yaml`. What is not written is denied. */
export const policyDocument = z
  .strictObject({
    component: componentName.describe('The name of the component in its host.'),
    spiffeId: spiffeIdText.describe('The one SPIFFE ID this component may have.'),
    selectors: list(selectorText, 'expected at least one selector').describe(
      'The selectors sent to SPIRE for it, exactly as its registration entry has them.',
    ),
    digest: digestText
      .optional()
      .describe('Only these bytes: SHA-256 of the component file. Checked when this service hosts the component.'),
    audiences: list(audienceText, 'expected at least one audience; leave the key out to grant none')
      .optional()
      .describe('The audiences of the JWT-SVIDs that it may hold itself.'),
    grants: z
      .record(grantName, grantSchema, {
        error: ({ code }) => (code === 'invalid_type' ? 'expected grants by name' : undefined),
      })
      .refine(
        (grants) => Object.keys(grants).length > 0,
        'expected at least one grant; leave the key out to grant none',
      )
      .refine((grants) => Object.keys(grants).length <= MAX_ITEMS, `expected at most ${MAX_ITEMS} grants`)
      .meta({ minProperties: 1, maxProperties: MAX_ITEMS })
      .optional()
      .describe('The credentials it may have, by the name it asks for.'),
    files: list(grantName, 'expected at least one grant; leave the key out to have none in a file')
      .optional()
      .describe(
        'The AWS and Azure grants whose JWT-SVID `svidx exec` may put in a file, on tmpfs, for programs that read nothing else. ' +
          'Their audience must be in `audiences`: such a program holds the token, and makes the exchange itself.',
      ),
    tokenEndpoint: z
      .strictObject({
        subjects: list(spiffeIdText, 'expected at least one SPIFFE ID').describe(
          "Whose JWT-SVIDs may be exchanged for these grants at the token endpoint: SPIFFE IDs, of federated trust domains too, compared exactly. The component's own is one of them only if it is listed.",
        ),
      })
      .optional(),
  })
  .refine((policy) => policy.tokenEndpoint === undefined || policy.grants !== undefined, {
    path: ['tokenEndpoint'],
    message: 'says nothing without "grants"',
  })
  .refine((policy) => policy.audiences !== undefined || policy.grants !== undefined, {
    message: 'grants nothing: expected "audiences", "grants" or both',
  })
  .superRefine(({ audiences = [], grants = {}, files = [] }, context) => {
    for (const [index, name] of files.entries()) {
      const message = fileProblem(Object.hasOwn(grants, name) ? grants[name] : undefined, audiences);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['files', index], message });
    }
  })
  .meta({
    anyOf: [{ required: ['audiences'] }, { required: ['grants'] }],
    dependentRequired: { tokenEndpoint: ['grants'] },
    title: 'svid-exchange policy',
    description: 'What one WebAssembly component may have. What is not written is denied.',
  });

export type PolicyDocument = z.output<typeof policyDocument>;

/** The JSON Schema (2020-12) of a policy document, for editors: generated from the schema that parses it. */
export function policyJsonSchema(): object {
  return z.toJSONSchema(policyDocument, { io: 'input' });
}
