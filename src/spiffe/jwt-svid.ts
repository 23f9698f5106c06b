import { createHash } from 'node:crypto';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { isJsonObject } from '../base/json.ts';
import { Secret } from '../base/secret.ts';
import { parseStrictJson } from '../base/strict-json.ts';
import { type Audience, parseAudience } from './audience.ts';
import { JWT_SVID_ALGORITHMS, type JwtBundle, type JwtBundleSet, type JwtSvidAlgorithm } from './jwt-bundle.ts';
import { isSignedBy } from './signature.ts';
import { SpiffeId } from './spiffe-id.ts';

/** The longest token read, in characters; the longest AWS STS takes (AssumeRoleWithWebIdentity, WebIdentityToken). */
export const MAX_TOKEN_LENGTH = 20_000;

/**
 * How far two clocks may disagree, in seconds, where nothing else is said. RFC 7519 sections 4.1.4 and 4.1.5 allow a small
 * leeway without a number; go-spiffe and SPIRE allow the 60 seconds that are go-jose's default.
 */
export const DEFAULT_LEEWAY_SECONDS = 5;

/** How many keys one token is tried with: no more, so that tokens without `kid` cost no more than this many checks. */
const MAX_KEYS_TRIED = 32;

/** A JWT-SVID: the token and what it says. Whether it was verified is known by which function made it. */
export interface JwtSvid {
  readonly token: Secret;
  /** SHA-256 of the token in hexadecimal: its name in audit events. */
  readonly sha256: string;
  readonly spiffeId: SpiffeId;
  readonly audience: Audience;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Milliseconds since 1970, if the token says so. */
  readonly issuedAt: number | undefined;
  readonly algorithm: JwtSvidAlgorithm;
  readonly keyId: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface VerifyOptions {
  /** The bundles of the trust domains that are trusted. */
  readonly bundles: JwtBundleSet;
  /** Who the verifier is; the token must name at least one of these. */
  readonly audience: Audience;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** How far the issuer's clock may be off, in seconds; 0 or more. */
  readonly leewaySeconds: number;
}

/**
 * Reads a JWT-SVID without checking signature, times or audience, which only its issuer's own socket makes acceptable.
 *
 * The form is checked to the letter (JWT-SVID sections 2 and 3): compact serialization with one signature, an allowed
 * `alg`, `typ` absent or `JWT` or `JOSE`, no `crit`, `sub` a SPIFFE ID, at least one `aud`, `exp` a number.
 * @throws SvidxError `token_malformed`
 */
export function parseJwtSvidUnverified(token: string): JwtSvid {
  if (token.length > MAX_TOKEN_LENGTH) throw malformed(`is longer than ${MAX_TOKEN_LENGTH} characters`);
  const parts = token.split('.');
  const [header, payload, signature] = parts.map(decodeBase64Url);
  if (parts.length !== 3 || header === undefined || payload === undefined || !signature?.length) {
    throw malformed('is not a JWS in compact serialization with one signature');
  }
  return Object.freeze({
    token: new Secret(token),
    sha256: createHash('sha256').update(token).digest('hex'),
    ...parseHeader(header),
    ...parseClaims(payload),
  });
}

/**
 * Verifies a JWT-SVID as a recipient does (JWT-SVID section 4): form, signature by a key of its subject's own trust
 * domain, times, audience.
 *
 * A token without `kid` is tried against each key of that bundle. (The specification makes `kid` optional, section 2.2;
 * SPIRE's and go-spiffe's validators insist on it.)
 * @throws SvidxError `token_malformed`, `token_trust_domain_unknown`, `token_key_unknown`, `token_signature_invalid`,
 *   `token_expired`, `token_not_yet_valid` or `token_audience_mismatch`
 */
export async function verifyJwtSvid(token: string, options: VerifyOptions): Promise<JwtSvid> {
  const svid = parseJwtSvidUnverified(token);
  const bundle = options.bundles.get(svid.spiffeId.trustDomain);
  // Trust Domain and Bundle section 3: keys of one trust domain prove nothing of another, whatever the set hands out.
  if (bundle === undefined || !bundle.trustDomain.equals(svid.spiffeId.trustDomain)) {
    throw new SvidxError(
      'token_trust_domain_unknown',
      `no bundle for the trust domain ${svid.spiffeId.trustDomain.name}`,
    );
  }
  await checkSignature(svid, bundle);
  checkTimes(svid, options.now, options.leewaySeconds * 1000);
  if (!svid.audience.some((name) => options.audience.includes(name))) {
    throw new SvidxError('token_audience_mismatch', `the token is not meant for ${options.audience.join(' or ')}`);
  }
  return svid;
}

async function checkSignature(svid: JwtSvid, bundle: JwtBundle): Promise<void> {
  const candidates = bundle.candidates(svid.keyId).filter((authority) => authority.algorithms.includes(svid.algorithm));
  if (candidates.length === 0) {
    throw new SvidxError('token_key_unknown', `no key of ${bundle.trustDomain.name} fits the token's "kid" and "alg"`);
  }
  if (candidates.length > MAX_KEYS_TRIED) {
    throw new SvidxError(
      'token_key_unknown',
      `more than ${MAX_KEYS_TRIED} keys of ${bundle.trustDomain.name} fit: the token needs a "kid" of its own`,
    );
  }
  for (const authority of candidates) {
    if (await isSignedBy(svid.token.reveal(), authority.key, svid.algorithm)) return;
  }
  throw new SvidxError(
    'token_signature_invalid',
    `the token's signature does not verify with the keys of ${bundle.trustDomain.name}`,
  );
}

function checkTimes(svid: JwtSvid, now: number, leewayMs: number): void {
  // Each comparison says what is accepted, so that a time that is not a number is refused.
  if (!(now < svid.expiresAt + leewayMs)) {
    throw new SvidxError('token_expired', `the token expired at ${new Date(svid.expiresAt).toISOString()}`);
  }
  // RFC 7519 section 4.1.5 for "nbf". Section 4.1.6 has no rule for "iat"; one in the future is refused as go-spiffe and
  // SPIRE refuse it.
  for (const claim of ['nbf', 'iat']) {
    const seconds = svid.claims[claim];
    if (typeof seconds === 'number' && !(now >= seconds * 1000 - leewayMs)) {
      throw new SvidxError('token_not_yet_valid', `the token's "${claim}" lies in the future`);
    }
  }
}

function parseHeader(bytes: Uint8Array): Pick<JwtSvid, 'algorithm' | 'keyId'> {
  // RFC 7515 section 4: a name that stands twice is refused, or the last one counts. Here it is refused.
  const header = parseStrictJson(bytes);
  if (!isJsonObject(header)) throw malformed('has a header that is not a JSON object of unique members');
  const algorithm = JWT_SVID_ALGORITHMS.find((known) => known === header['alg']);
  if (algorithm === undefined) throw malformed(`must have an "alg" of ${JWT_SVID_ALGORITHMS.join(', ')}`);
  const { typ, kid, crit, b64 } = header;
  if (typ !== undefined && typ !== 'JWT' && typ !== 'JOSE') throw malformed('has a "typ" that is not JWT or JOSE');
  if (kid !== undefined && (typeof kid !== 'string' || kid === '')) throw malformed('has a "kid" that is not a text');
  // RFC 7515 section 4.1.11: a recipient refuses extensions it does not understand; this one understands none.
  if (crit !== undefined || b64 !== undefined) throw malformed('needs an extension ("crit") that is not supported');
  return { algorithm, keyId: kid };
}

function parseClaims(bytes: Uint8Array): Pick<JwtSvid, 'spiffeId' | 'audience' | 'expiresAt' | 'issuedAt' | 'claims'> {
  // RFC 7519 section 4: as in the header.
  const claims = parseStrictJson(bytes);
  if (!isJsonObject(claims)) throw malformed('has claims that are not a JSON object of unique members');
  const expiresAt = numericDate(claims, 'exp');
  if (expiresAt === undefined) throw malformed('has no "exp"');
  numericDate(claims, 'nbf');
  return {
    spiffeId: parseSubject(claims['sub']),
    audience: parseAudienceClaim(claims['aud']),
    expiresAt,
    issuedAt: numericDate(claims, 'iat'),
    claims: Object.freeze(claims),
  };
}

function parseSubject(sub: unknown): SpiffeId {
  if (typeof sub !== 'string') throw malformed('has no "sub"');
  try {
    return SpiffeId.parse(sub);
  } catch (error) {
    throw malformed(`has a "sub" that is not valid: ${toSvidxError(error).message}`);
  }
}

/** RFC 7519 section 4.1.3: one string or an array of strings. */
function parseAudienceClaim(aud: unknown): Audience {
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const audience = values.every((value) => typeof value === 'string') ? parseAudience(values) : undefined;
  if (audience === undefined) throw malformed('must have an "aud" of one or more texts');
  return Object.freeze(audience);
}

/** RFC 7519 section 2, NumericDate: seconds since 1970; in milliseconds here. */
function numericDate(claims: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const seconds = claims[name];
  if (seconds === undefined) return undefined;
  // Up to the year 9999: what a Date can still print.
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= 253_402_300_799)) {
    throw malformed(`has an "${name}" that is not a time in seconds since 1970`);
  }
  return seconds * 1000;
}

/** RFC 7515 section 2: base64url without padding; anything that would not encode back to the same text is refused. */
function decodeBase64Url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

function malformed(problem: string): SvidxError {
  return new SvidxError('token_malformed', `the token ${problem}`);
}
