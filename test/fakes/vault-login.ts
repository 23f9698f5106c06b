import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { parseJson } from '../../src/base/json.ts';

/** What a role of auth method `jwt` says (API, create/update role), under the names of the API. Durations are seconds. */
export interface VaultRole {
  /** As at Vault, a role that does not say so is none for JWTs. */
  readonly role_type?: 'jwt' | 'oidc';
  readonly user_claim?: string;
  readonly bound_audiences?: readonly string[];
  readonly bound_subject?: string;
  readonly bound_claims?: Readonly<Record<string, string | readonly string[]>>;
  readonly bound_claims_type?: 'string' | 'glob';
  readonly clock_skew_leeway?: number;
  readonly token_ttl: number;
  readonly token_max_ttl: number;
  readonly token_period?: number;
  readonly token_num_uses?: number;
  readonly token_type?: 'service' | 'batch';
  readonly token_bound_cidrs?: readonly string[];
  readonly token_no_default_policy?: boolean;
  /** With auth method `spiffe`: which workloads. */
  readonly workload_id_patterns?: readonly string[];
}

/** A mounted auth method. */
export interface VaultMount {
  readonly type: 'jwt' | 'spiffe';
  /** Left out: mounted, and not configured. */
  readonly config?: {
    readonly jwks_url?: string;
    readonly oidc_discovery_url?: string;
    readonly bound_issuer?: string;
    /** Of auth method `spiffe`. */
    readonly audience?: readonly string[];
    readonly trust_domain?: string;
  };
  readonly roles: Record<string, VaultRole>;
  /** Whether the `Authorization` header reaches the auth method, which `spiffe` must be tuned for. */
  readonly passthroughAuthorization?: boolean;
}

/** A refusal in the words of Vault. */
export class VaultRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const DEFAULT_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA'];

/** Decides on a login as auth method `jwt` does, in its order and with its texts (path_login.go; library `cap`, jwt.go). */
export async function jwtLogin(
  { config, roles }: VaultMount,
  { role: name, jwt }: { readonly role: string; readonly jwt: string },
  now: number,
): Promise<VaultRole> {
  if (config === undefined) throw new VaultRefusal(400, 'could not load configuration');
  if (name === '') throw new VaultRefusal(400, 'missing role');
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (role === undefined) throw new VaultRefusal(400, `role ${JSON.stringify(name)} could not be found`);
  if (role.role_type !== 'jwt') throw new VaultRefusal(400, 'role with oidc role_type is not allowed');
  if (jwt === '') throw new VaultRefusal(400, 'missing token');
  if (role.token_bound_cidrs !== undefined && !role.token_bound_cidrs.includes('127.0.0.1/32')) {
    throw new VaultRefusal(403, 'permission denied');
  }
  const claims = await verify(jwt, config);
  validate(claims, role, config.bound_issuer, now);
  if ([claims.aud ?? []].flat().length > 0 && (role.bound_audiences ?? []).length === 0) {
    throw new VaultRefusal(400, 'audience claim found in JWT but no audiences bound to the role');
  }
  const user = claims[role.user_claim ?? 'sub'];
  if (user === undefined) throw new VaultRefusal(400, `claim "${role.user_claim}" not found in token`);
  for (const [claim, bound] of Object.entries(role.bound_claims ?? {})) boundClaim(claims, claim, bound, role);
  return role;
}

const claimsDocument = z.looseObject({
  iss: z.string().optional(),
  sub: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  exp: z.number().optional(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
});

type Claims = z.output<typeof claimsDocument>;

/** The claims, of which nothing is checked yet. */
async function verify(jwt: string, config: NonNullable<VaultMount['config']>): Promise<Claims> {
  const keys = createLocalJWKSet(await fetchKeys(config));
  try {
    const { payload } = await compactVerify(jwt, keys, { algorithms: DEFAULT_ALGORITHMS });
    return claimsDocument.parse(parseJson(payload));
  } catch {
    throw invalid('error verifying token signature: failed to verify id token signature');
  }
}

const discoveryDocument = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keysDocument = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

async function fetchKeys({ jwks_url, oidc_discovery_url }: NonNullable<VaultMount['config']>): Promise<JSONWebKeySet> {
  let keysUrl = jwks_url;
  if (keysUrl === undefined) {
    const configuring = 'error configuring token validator: ';
    const document = await get(`${oidc_discovery_url}/.well-known/openid-configuration`, configuring);
    const { issuer, jwks_uri } = discoveryDocument.parse(document);
    if (issuer !== oidc_discovery_url) {
      const [expected, got] = [oidc_discovery_url, issuer].map((url) => JSON.stringify(url));
      const problem = `issuer did not match the returned issuer, expected ${expected} got ${got}`;
      throw new VaultRefusal(400, configuring + problem);
    }
    keysUrl = jwks_uri;
  }
  const fetching = 'error validating token: error verifying token signature: fetching keys oidc: get keys failed ';
  return keysDocument.parse(await get(keysUrl, fetching));
}

async function get(url: string, doing: string): Promise<unknown> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return await response.json();
  } catch (error) {
    throw new VaultRefusal(400, `${doing}Get "${url}": ${error instanceof Error ? error.message : error}`);
  }
}

function validate(claims: Claims, role: VaultRole, issuer: string | undefined, now: number): void {
  if (issuer !== undefined && issuer !== claims.iss) throw invalid('invalid issuer (iss) claim');
  if (role.bound_subject !== undefined && role.bound_subject !== claims.sub)
    throw invalid('invalid subject (sub) claim');
  const bound = role.bound_audiences ?? [];
  if (bound.length > 0 && ![claims.aud ?? []].flat().some((audience) => bound.includes(audience))) {
    throw invalid('invalid audience (aud) claim: audience claim does not match any expected audience');
  }
  // 0 means the default, and a negative number none. The other leeways are for tokens that lack `exp` or `nbf`.
  const { clock_skew_leeway: skew = 0 } = role;
  const leeway = skew === 0 ? 60 : Math.max(skew, 0);
  const seconds = now / 1000;
  if (seconds + leeway < (claims.nbf ?? claims.iat ?? 0)) {
    throw invalid('invalid not before (nbf) claim: token not yet valid');
  }
  if (seconds - leeway > (claims.exp ?? 0)) throw invalid('invalid expiration time (exp) claim: token is expired');
  if (seconds + leeway < (claims.iat ?? 0)) throw invalid('invalid issued at (iat) claim: token issued in the future');
}

function invalid(problem: string): VaultRefusal {
  return new VaultRefusal(400, `error validating token: ${problem}`);
}

function boundClaim(claims: Claims, claim: string, bound: string | readonly string[], role: VaultRole): void {
  const value = claims[claim.replace(/^\//, '')];
  if (value === undefined) throw new VaultRefusal(400, `error validating claims: claim "${claim}" is missing`);
  const matches = (text: string, pattern: string): boolean =>
    role.bound_claims_type === 'glob' ? globExpression(pattern).test(text) : text === pattern;
  const fits = [bound].flat().some((pattern) => [value].flat().some((text) => matches(String(text), String(pattern))));
  if (!fits) {
    throw new VaultRefusal(
      400,
      `error validating claims: claim "${claim}" does not match any associated bound claim values`,
    );
  }
}

function globExpression(pattern: string): RegExp {
  return new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('[^]*')}$`,
  );
}

/**
 * A login at auth method `spiffe` of Vault Enterprise, as its API documentation has it: the JWT-SVID in the header, if that
 * is let through. Nobody here has seen what it says on a refusal.
 */
export async function spiffeLogin(
  { config, roles, passthroughAuthorization = false }: VaultMount,
  { role: name, type, authorization }: { readonly role: string; readonly type: string; readonly authorization: string },
  now: number,
): Promise<VaultRole> {
  const jwt = passthroughAuthorization ? /^Bearer (.+)$/.exec(authorization)?.[1] : undefined;
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (config === undefined || jwt === undefined || type === 'cert' || role === undefined) {
    throw new VaultRefusal(403, 'permission denied');
  }
  const claims = await verify(jwt, config);
  validate(claims, { ...role, bound_audiences: config.audience ?? [''] }, undefined, now);
  const workload = (claims.sub ?? '').replace(`spiffe://${config.trust_domain}/`, '');
  const fits = (role.workload_id_patterns ?? []).some((pattern) =>
    pattern.endsWith('*') ? workload.startsWith(pattern.slice(0, -1)) : workload === pattern,
  );
  if (!fits) throw new VaultRefusal(403, 'permission denied');
  return role;
}
