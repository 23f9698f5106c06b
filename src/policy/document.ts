import { z } from 'zod';
import { toSvidxError } from '../base/errors.ts';
import { audienceText } from '../credentials/grants/audience.ts';
import { parseSelector } from '../spiffe/selector.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { DIGEST, isDigestSelector } from './digest.ts';
import { egressDocument } from './egress-rule.ts';
import { policyGrant } from './policy-grant.ts';
import { GRANTING, policyProblems } from './policy-problems.ts';
import { WASI_INTERFACES } from './wasi-interface.ts';

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
export const digestText = z.string().regex(DIGEST, 'expected "sha256:" and 64 hexadecimal digits');

/** What a policy may say to SPIRE; the digest of a component is not said but computed. */
const policySelector = selectorText
  .refine(
    (selector) => !isDigestSelector(selector),
    'expected no digest here: it is only ever computed, by "digestSelector"',
  )
  .meta({ pattern: '^(?!wasm:digest:)[^:]+:.+$' });

/** `wasi:config/store` takes any text for a key; one that can be typed will do. */
const configKey = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._:/-]*$/, 'expected a key of letters, digits and _ . : / -');

const configValue = z
  .string({ error: ({ code }) => (code === 'invalid_type' ? 'expected a text: quote it' : undefined) })
  .max(4096);

/**
 * A list that is not endless and has nothing in it twice.
 * @param whenEmpty what is said of an empty one, which may be where this is left out
 */
export function list<T extends z.ZodType>(item: T, whenEmpty?: string) {
  return z
    .array(item)
    .min(whenEmpty === undefined ? 0 : 1, whenEmpty)
    .max(MAX_ITEMS)
    .refine((items) => new Set(items.map((entry) => JSON.stringify(entry))).size === items.length, 'has an entry twice')
    .meta({ uniqueItems: true });
}

/** The policy of one component, as written in `policies/*.yaml`. What is not written is denied. */
export const policyDocument = z
  .strictObject({
    component: componentName.describe('The name of the component in its host.'),
    spiffeId: spiffeIdText.describe('The one SPIFFE ID this component may have.'),
    selectors: list(policySelector, 'expected at least one selector').describe(
      'The selectors sent to SPIRE for it, exactly as its registration entry has them.',
    ),
    digest: digestText
      .optional()
      .describe(
        'Only these bytes: SHA-256 of the component file, as its host has computed it. Whoever asks without a digest, or with another, is denied.',
      ),
    digestSelector: z
      .boolean()
      .default(false)
      .describe(
        'Adds the selector `wasm:digest:sha256:...` of the bytes that run to those sent to SPIRE, so that a registration entry can name the bytes. Whoever asks without a digest is denied.',
      ),
    audiences: list(audienceText, 'expected at least one audience; leave the key out to grant none')
      .optional()
      .describe('The audiences of the JWT-SVIDs that it may hold itself.'),
    grants: z
      .record(grantName, policyGrant, {
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
    wasi: list(z.enum(WASI_INTERFACES))
      .optional()
      .describe(
        'What its host lets it use: `clocks`, `random`, and `stdio`, which goes to the log. There is nothing behind the others. ' +
          'An empty list is for a component that is run and needs nothing.',
      ),
    config: z
      .record(configKey, configValue)
      .refine((values) => Object.keys(values).length > 0, 'expected at least one key; leave it out to tell nothing')
      .refine((values) => Object.keys(values).length <= MAX_ITEMS, `expected at most ${MAX_ITEMS} keys`)
      .meta({ minProperties: 1, maxProperties: MAX_ITEMS })
      .optional()
      .describe('What `wasi:config/store` tells it: plain texts, nothing secret.'),
    egress: list(egressDocument, 'expected at least one URL; leave the key out to grant none')
      .optional()
      .describe(
        'Where it may send requests: `https://HOST`, perhaps with a port and a path. A path that ends with `/` stands for everything below it, another one for itself. ' +
          'A name that resolves to a private, loopback or link-local address is refused, unless the rule is `{ url, addresses: [10.0.0.0/8] }`.',
      ),
    tokenEndpoint: z
      .strictObject({
        subjects: list(spiffeIdText, 'expected at least one SPIFFE ID').describe(
          "Whose JWT-SVIDs may be exchanged for these grants at the token endpoint: SPIFFE IDs, of federated trust domains too, compared exactly. The component's own is one of them only if it is listed.",
        ),
      })
      .optional(),
  })
  .superRefine((policy, context) => {
    for (const { path, message } of policyProblems(policy))
      context.addIssue({ code: 'custom', path: [...path], message });
  })
  .meta({
    anyOf: GRANTING.map((key) => ({ required: [key] })),
    dependentRequired: { tokenEndpoint: ['grants'] },
    not: { required: ['tokenEndpoint', 'digest'] },
    title: 'svid-exchange policy',
    description: 'What one WebAssembly component may have. What is not written is denied.',
  });

export type PolicyDocument = z.output<typeof policyDocument>;

/** The JSON Schema (2020-12) of a policy document, for editors: generated from the schema that parses it. */
export function policyJsonSchema(): object {
  return z.toJSONSchema(policyDocument, { io: 'input' });
}
