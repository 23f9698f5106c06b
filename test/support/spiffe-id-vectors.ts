import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const FOLDER = join(import.meta.dirname, '../vectors');

/** What all vectors have; `test/vectors/README.md` says what each member means. */
export const vectorBase = {
  name: z.string().min(4),
  source: z.string().regex(/^[A-Z].* [A-Z0-9][0-9.]*$/, 'expected a document and a section'),
  says: z.string().optional(),
  choice: z.string().optional(),
  differs: z.record(z.string(), z.string()).optional(),
};

const spiffeIdSchema = z.strictObject({
  ...vectorBase,
  id: z.string(),
  expect: z.union([
    z.strictObject({ trustDomain: z.string(), path: z.string() }),
    z.enum(['spiffe_id_invalid', 'trust_domain_invalid']),
  ]),
});

const trustDomainSchema = z.strictObject({
  ...vectorBase,
  trustDomain: z.string(),
  expect: z.enum(['accepted', 'trust_domain_invalid']),
});

/** The file's JSON, of which the caller's schema says what it is. */
export function readVectors(path: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, path), 'utf8'));
}

export const spiffeIdVectors = z.array(spiffeIdSchema).min(1).parse(readVectors('spiffe-id/spiffe-ids.json'));

export const trustDomainVectors = z
  .array(trustDomainSchema)
  .min(1)
  .parse(readVectors('trust-domain/trust-domains.json'));
