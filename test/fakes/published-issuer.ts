import { createLocalJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';

/** What a cloud finds out about a token from its issuer, and why not. */
export type Verified =
  | { readonly claims: JWTPayload }
  | { readonly problem: 'unreachable' | 'key' | 'signature' | 'expired' | 'not yet valid' | 'claims' };

const discoveryDocument = z.object({ issuer: z.string(), jwks_uri: z.url() });
const keySetDocument = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/** The claims that a token has if it is what it says; `undefined` for what is no JWT. */
export function unverifiedClaims(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

/**
 * Verifies a token as clouds do: with the keys that its issuer publishes, fetched over HTTP as its discovery document leads
 * to them, and with its times.
 * @param now milliseconds since 1970
 */
export async function verifyByIssuer(
  token: string,
  { issuer, algorithms, now }: { issuer: string; algorithms: string[]; now: number },
): Promise<Verified> {
  const discovery = discoveryDocument.safeParse(await fetchJson(`${issuer}/.well-known/openid-configuration`));
  if (!discovery.success || discovery.data.issuer !== issuer) return { problem: 'unreachable' };
  const keySet = keySetDocument.safeParse(await fetchJson(discovery.data.jwks_uri));
  if (!keySet.success) return { problem: 'unreachable' };
  try {
    const requiredClaims = ['sub', 'aud', 'exp', 'iat'];
    const options = { issuer, algorithms, currentDate: new Date(now), requiredClaims };
    const { payload } = await jwtVerify(token, createLocalJWKSet(keySet.data), options);
    return Number(payload.iat) * 1000 > now ? { problem: 'not yet valid' } : { claims: payload };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { problem: 'expired' };
    if (error instanceof errors.JWTClaimValidationFailed) {
      return { problem: error.claim === 'nbf' ? 'not yet valid' : 'claims' };
    }
    return { problem: error instanceof errors.JWKSNoMatchingKey ? 'key' : 'signature' };
  }
}

async function fetchJson(url: string): Promise<unknown> {
  try {
    const response = await fetch(url, { redirect: 'error' });
    return response.status === 200 ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}
