import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode, isErrorCode } from '../../src/base/errors.ts';
import { isJsonObject } from '../../src/base/json.ts';
import { mutate, respell, TOKEN_MUTATIONS, TOKEN_PARTS, TOKEN_SPELLINGS } from './jwt-svid-mutations.ts';
import { privateJwk, publicJwk, SIGNATURE_KINDS, type SignatureKind, sign, signatureKindOf } from './signing-keys.ts';

const FOLDER = join(import.meta.dirname, '../vectors/jwt-svid');
const EXPECTED_CODES = Object.keys(ERROR_CODES).filter((code) => code.startsWith('token_'));

/** One token, described; `test/vectors/jwt-svid/README.md` says what each member means. */
const vectorSchema = z.strictObject({
  name: z.string().min(10),
  source: z.string().regex(/^[A-Z].* [A-Z0-9][0-9.]*$/, 'expected a document and a section'),
  expect: z.union([z.string().startsWith('spiffe://'), z.enum(EXPECTED_CODES)]),
  says: z.string().optional(),
  choice: z.string().optional(),
  differs: z.record(z.string(), z.string()).optional(),
  exactTime: z.boolean().default(false),
  key: z.string().default('example.org/ec-p256'),
  header: z.record(z.string(), z.unknown()).default({}),
  dropHeader: z.array(z.string()).default([]),
  headerText: z.string().optional(),
  claims: z.record(z.string(), z.unknown()).default({}),
  dropClaims: z.array(z.string()).default([]),
  claimsText: z.string().optional(),
  textEncoding: z.enum(['utf8', 'latin1']).default('utf8'),
  respell: z.strictObject({ part: z.enum(TOKEN_PARTS), as: z.enum(TOKEN_SPELLINGS) }).optional(),
  signAs: z.enum(SIGNATURE_KINDS).optional(),
  mutate: z.enum(TOKEN_MUTATIONS).optional(),
  token: z.string().optional(),
});
export type JwtSvidVector = z.output<typeof vectorSchema>;

const bundleEntrySchema = z.union([
  z.string(),
  z.strictObject({
    key: z.string(),
    set: z.record(z.string(), z.unknown()).default({}),
    private: z.boolean().default(false),
  }),
  z.strictObject({ jwk: z.record(z.string(), z.unknown()) }),
]);

const worldSchema = z.strictObject({
  audience: z.tuple([z.string()], z.string()),
  leewaySeconds: z.number(),
  bundles: z.record(z.string(), z.array(bundleEntrySchema)),
});

function readVectorFile(name: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
}

const { audience, leewaySeconds, bundles } = worldSchema.parse(readVectorFile('world.json'));

/** Who the verifier is in every vector, and how far clocks may disagree. */
export const vectorAudience = audience;
export const vectorLeewaySeconds = leewaySeconds;

/** All vectors, by the file they stand in. */
export const vectorFiles = new Map(
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json') && name !== 'world.json')
    .map((name) => [name, z.array(vectorSchema).min(1).parse(readVectorFile(name))]),
);
export const vectors: readonly JwtSvidVector[] = [...vectorFiles.values()].flat();

/** What a vector expects: the SPIFFE ID of an accepted token, or the error code of a refused one. */
export function expectation(vector: JwtSvidVector): { spiffeId: string } | { code: ErrorCode } {
  return isErrorCode(vector.expect) ? { code: vector.expect } : { spiffeId: vector.expect };
}

/** The JWK Set of each trust domain by its name, as `svidx verify --bundles` reads them. */
export function vectorBundles(): Record<string, { readonly keys: readonly object[] }> {
  return Object.fromEntries(
    Object.entries(bundles).map(([trustDomain, entries]) => [
      trustDomain,
      {
        keys: entries.map((entry) => {
          if (typeof entry === 'string') return { kid: entry, ...publicJwk(`${trustDomain}/${entry}`) };
          if ('jwk' in entry) return entry.jwk;
          const read = entry.private ? privateJwk : publicJwk;
          return { kid: entry.key, ...read(`${trustDomain}/${entry.key}`), ...entry.set };
        }),
      },
    ]),
  );
}

/**
 * Builds and signs the token of a vector.
 * @param nowSeconds what the times in the vector are relative to, in whole seconds since 1970
 */
export function buildToken(vector: JwtSvidVector, nowSeconds: number): string {
  if (vector.token !== undefined) return vector.token;
  const [trustDomain = '', keyId = ''] = vector.key.split('/');
  const header = patched(
    { alg: signatureKindOf(vector.key), kid: keyId, typ: 'JWT' },
    vector.header,
    vector.dropHeader,
  );
  const claims = patched(
    { sub: `spiffe://${trustDomain}/api`, aud: audience, exp: { now: 300 }, iat: { now: 0 } },
    vector.claims,
    vector.dropClaims,
  );
  // Header and claims are spelled otherwise before they are signed: but for its spelling the token is good.
  const input = [
    spelled(encoded(vector.headerText, header, vector, nowSeconds), 'header', vector),
    spelled(encoded(vector.claimsText, claims, vector, nowSeconds), 'claims', vector),
  ].join('.');
  const kind = vector.signAs ?? SIGNATURE_KINDS.find((known) => known === header['alg']) ?? signatureKindOf(vector.key);
  const token = `${input}.${spelledSignature(input, vector, kind)}`;
  return vector.mutate === undefined ? token : mutate(token, vector.mutate);
}

function encoded(text: string | undefined, value: object, vector: JwtSvidVector, nowSeconds: number): string {
  const json = text === undefined ? JSON.stringify(resolved(value, nowSeconds)) : withTimes(text, nowSeconds);
  return Buffer.from(json, vector.textEncoding).toString('base64url');
}

function spelled(text: string, part: string, { name, respell: wanted }: JwtSvidVector): string {
  if (wanted?.part !== part) return text;
  const other = respell(text, wanted.as);
  if (other === text) throw new Error(`this ${part} cannot be spelled otherwise: ${name}`);
  return other;
}

/** ECDSA signatures differ each time, so one that can be spelled as wanted comes up soon. */
function spelledSignature(input: string, vector: JwtSvidVector, kind: SignatureKind): string {
  const text = sign(input, vector.key, kind).toString('base64url');
  if (vector.respell?.part !== 'signature') return text;
  const other = respell(text, vector.respell.as);
  return other === text ? spelledSignature(input, vector, kind) : other;
}

function patched(base: object, patch: object, drop: readonly string[]): Record<string, unknown> {
  const entries = Object.entries({ ...base, ...patch }).filter(([name]) => !drop.includes(name));
  return Object.fromEntries(entries);
}

/** Replaces `{"now": 300}` by a time and `{"publicKeyOf": "example.org/ec-p256"}` by a JWK, at any depth. */
function resolved(value: unknown, nowSeconds: number): unknown {
  if (Array.isArray(value)) return value.map((item) => resolved(item, nowSeconds));
  if (!isJsonObject(value)) return value;
  const { now, publicKeyOf } = value;
  if (typeof now === 'number') return nowSeconds + now;
  if (typeof publicKeyOf === 'string') return publicJwk(publicKeyOf);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolved(item, nowSeconds)]));
}

function withTimes(text: string, nowSeconds: number): string {
  return text.replace(/\{\{now([+-]\d+)\}\}/g, (_, offset: string) => String(nowSeconds + Number(offset)));
}
