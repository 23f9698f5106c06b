import { z } from 'zod';
import { privateJwk, publicJwk } from './signing-keys.ts';
import { readVectors, vectorBase } from './spiffe-id-vectors.ts';

const keySchema = z.union([
  z.string(),
  z.strictObject({
    key: z.string(),
    set: z.record(z.string(), z.unknown()).default({}),
    drop: z.array(z.string()).default([]),
    private: z.boolean().default(false),
  }),
  z.strictObject({ jwk: z.unknown() }),
]);

/** One bundle, described; `test/vectors/jwt-bundle/README.md` says what each member means. */
const vectorSchema = z.strictObject({
  ...vectorBase,
  form: z.enum(['jwk-set', 'spiffe-bundle']).default('jwk-set'),
  keys: z.array(keySchema).default([]),
  document: z.record(z.string(), z.unknown()).default({}),
  text: z.string().optional(),
  textEncoding: z.enum(['utf8', 'latin1']).default('utf8'),
  expect: z.union([z.strictObject({ keyIds: z.array(z.string()), skipped: z.number() }), z.literal('bundle_invalid')]),
});
export type JwtBundleVector = z.output<typeof vectorSchema>;

export const jwtBundleVectors = z.array(vectorSchema).min(1).parse(readVectors('jwt-bundle/jwt-bundles.json'));

/** The bytes of a vector's bundle. */
export function buildBundle({ keys, document, text, textEncoding }: JwtBundleVector): Buffer {
  return Buffer.from(text ?? JSON.stringify({ ...document, keys: keys.map(buildKey) }), textEncoding);
}

function buildKey(entry: z.output<typeof keySchema>): unknown {
  if (typeof entry === 'string') return { kid: entry, ...publicJwk(`example.org/${entry}`) };
  if ('jwk' in entry) return entry.jwk;
  const read = entry.private ? privateJwk : publicJwk;
  const members = { kid: entry.key, ...read(`example.org/${entry.key}`), ...entry.set };
  return Object.fromEntries(Object.entries(members).filter(([name]) => !entry.drop.includes(name)));
}
