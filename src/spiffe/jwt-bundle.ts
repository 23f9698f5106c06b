import { createPublicKey, type KeyObject } from 'node:crypto';
import { SvidxError } from '../base/errors.ts';
import { isJsonObject } from '../base/json.ts';
import { parseStrictJson } from '../base/strict-json.ts';
import { isUnsoundRsa } from './rsa-key.ts';
import type { TrustDomain } from './trust-domain.ts';

/** JWT-SVID section 2.1: the algorithms a JWT-SVID may be signed with. */
export const JWT_SVID_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
] as const;
export type JwtSvidAlgorithm = (typeof JWT_SVID_ALGORITHMS)[number];

/** RFC 7518 section 3.4: each ES algorithm belongs to one curve. */
const CURVE_ALGORITHMS: ReadonlyMap<string, readonly JwtSvidAlgorithm[]> = new Map([
  ['P-256', ['ES256']],
  ['P-384', ['ES384']],
  ['P-521', ['ES512']],
]);

/** RS256 first: what SPIRE signs with. */
const RSA_ALGORITHMS = JWT_SVID_ALGORITHMS.filter((alg) => !alg.startsWith('ES'));

/** A bundle holds two or three keys in practice; anything near this is not a bundle. */
const MAX_KEYS = 1000;

/**
 * What a JWT bundle arrives as. `jwk-set`: from SPIRE's Workload or Delegated Identity API, where keys have no `use`, or
 * from an OpenID provider. `spiffe-bundle`: from a bundle endpoint, where each key has one.
 */
export type BundleFormat = 'jwk-set' | 'spiffe-bundle';

/** What `use` says of a key for JWT-SVIDs. JWT-SVID section 6.2 and Trust Domain and Bundle section 4.2.2 for a bundle. */
const USES: Readonly<Record<BundleFormat, readonly unknown[]>> = {
  'jwk-set': [undefined, 'jwt-svid', 'sig'],
  'spiffe-bundle': ['jwt-svid'],
};

/** The members of RFC 7518 section 6 that make up a public key, and nothing else. */
export type PublicJwk =
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | { readonly kty: 'EC'; readonly crv: string; readonly x: string; readonly y: string };

/** One public key that may sign JWT-SVIDs of a trust domain. */
export interface JwtAuthority {
  readonly keyId: string;
  readonly key: KeyObject;
  /** The algorithms this key can verify, the one SPIRE signs with first. */
  readonly algorithms: readonly [JwtSvidAlgorithm, ...JwtSvidAlgorithm[]];
  readonly jwk: PublicJwk;
}

/** The keys of one trust domain. Keys of different trust domains never meet in one object. */
export class JwtBundle {
  readonly trustDomain: TrustDomain;
  /**
   * Each key once, sorted: SPIRE sends them in a random order, and what is published must not flicker with it. Keys may
   * share an ID, which RFC 7517 section 4.5 advises against but allows.
   */
  readonly authorities: readonly JwtAuthority[];
  /** How many keys of the set were passed over: of unknown type or use, too weak, or without `kid`. */
  readonly skippedKeys: number;

  /** All that is trusted, as one text. */
  readonly #content: string;

  private constructor(trustDomain: TrustDomain, authorities: readonly JwtAuthority[], skippedKeys: number) {
    const byText = new Map(authorities.map((authority) => [textOf(authority), authority]));
    const sorted = [...byText].sort(([a], [b]) => (a < b ? -1 : 1));
    this.trustDomain = trustDomain;
    this.authorities = Object.freeze(sorted.map(([, authority]) => authority));
    this.skippedKeys = skippedKeys;
    this.#content = sorted.map(([text]) => text).join();
    Object.freeze(this);
  }

  /**
   * Reads a JWK Set (RFC 7517 section 5) as the JWT bundle of a trust domain.
   *
   * The set does not say which trust domain it belongs to, so the caller does (SPIFFE Trust Domain and Bundle section 4).
   * Keys that cannot sign a JWT-SVID are skipped, not errors (section 4.1.3; RFC 7517 section 5): unknown `kty`, a `use`
   * of another purpose, no `kid`. (go-spiffe refuses the whole set for one such key.) An empty bundle is legal: it trusts
   * nothing.
   * @param format which document it is: they differ in what a key without `use` means
   * @throws SvidxError `bundle_invalid`
   */
  static parse(trustDomain: TrustDomain, jwkSet: Uint8Array | string, format: BundleFormat = 'jwk-set'): JwtBundle {
    // RFC 7517 sections 4 and 5: a name that stands twice is refused, or the last one counts. Here it is refused.
    const document = parseStrictJson(jwkSet);
    if (!isJsonObject(document) || !Array.isArray(document['keys'])) {
      throw new SvidxError(
        'bundle_invalid',
        `the bundle of ${trustDomain.name} must be a JSON object of unique members with an array "keys"`,
      );
    }
    const keys: readonly unknown[] = document['keys'];
    if (keys.length > MAX_KEYS) {
      throw new SvidxError('bundle_invalid', `the bundle of ${trustDomain.name} has more than ${MAX_KEYS} keys`);
    }
    const authorities = keys
      .map((key) => parseAuthority(key, USES[format]))
      .filter((authority) => authority !== undefined);
    return new JwtBundle(trustDomain, authorities, keys.length - authorities.length);
  }

  /** Whether this bundle trusts exactly the same keys. */
  equals(other: JwtBundle): boolean {
    return this.trustDomain.equals(other.trustDomain) && this.#content === other.#content;
  }

  /** The keys a token with this `kid` may be signed with; all of them for a token without. */
  candidates(keyId: string | undefined): readonly JwtAuthority[] {
    return keyId === undefined ? this.authorities : this.authorities.filter((authority) => authority.keyId === keyId);
  }
}

/** The bundles of several trust domains, each found by its own name only. */
export interface JwtBundleSet {
  get(trustDomain: TrustDomain): JwtBundle | undefined;
}

/** A fixed set of bundles. */
export function jwtBundleSet(bundles: Iterable<JwtBundle>): JwtBundleSet {
  const byName = new Map<string, JwtBundle>();
  for (const bundle of bundles) byName.set(bundle.trustDomain.name, bundle);
  return { get: (trustDomain) => byName.get(trustDomain.name) };
}

/** A text that two keys share only when they are the same key, with the same ID and for the same algorithms. */
function textOf({ keyId, algorithms, jwk }: JwtAuthority): string {
  return JSON.stringify([keyId, algorithms, jwk]);
}

function parseAuthority(value: unknown, uses: readonly unknown[]): JwtAuthority | undefined {
  if (!isJsonObject(value)) return undefined;
  const { kid, use, key_ops: operations, alg } = value;
  if (typeof kid !== 'string' || kid === '' || !uses.includes(use)) return undefined;
  // RFC 7517 section 4.3: where the key says what it is for, this must be among it. (go-spiffe does not look.)
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined;
  const members = publicMembers(value);
  if (members === undefined) return undefined;
  const algorithms = algorithmsFor(members, alg);
  const key = importKey(members);
  if (algorithms === undefined || key === undefined || isUnsoundRsa(key)) return undefined;
  // What is published is the key itself, not the text it was read from: Node reads over characters that are not
  // base64url, surplus zeros and padding, and other readers refuse them (RFC 7518 sections 6.2.1 and 6.3.1).
  const jwk = publicMembers({ ...key.export({ format: 'jwk' }) });
  return jwk === undefined ? undefined : Object.freeze({ keyId: kid, key, algorithms, jwk });
}

function importKey(jwk: PublicJwk): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** @param stated the key's own `alg`: it is then for that one alone (RFC 7517 section 4.4) */
function algorithmsFor(jwk: PublicJwk, stated: unknown): JwtAuthority['algorithms'] | undefined {
  const possible = jwk.kty === 'RSA' ? RSA_ALGORITHMS : (CURVE_ALGORITHMS.get(jwk.crv) ?? []);
  const [first, ...rest] = possible.filter((known) => stated === undefined || known === stated);
  return first === undefined ? undefined : [first, ...rest];
}

/** A copy with the members that make up a public key, so that a private one can never be published by mistake. */
function publicMembers(jwk: Readonly<Record<string, unknown>>): PublicJwk | undefined {
  const { kty, n, e, crv, x, y } = jwk;
  if (kty === 'RSA' && typeof n === 'string' && typeof e === 'string') return Object.freeze({ kty, n, e });
  if (kty === 'EC' && typeof crv === 'string' && typeof x === 'string' && typeof y === 'string') {
    return Object.freeze({ kty, crv, x, y });
  }
  return undefined;
}
