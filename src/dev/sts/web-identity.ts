import { createLocalJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import { StsError } from './errors.ts';

/** An OIDC identity provider as registered in IAM. */
export interface OidcProvider {
  /** The issuer, as in the tokens' `iss`. */
  readonly issuer: string;
  /** The audiences that tokens may have. */
  readonly clientIds: readonly string[];
}

export interface VerifiedIdentity {
  readonly subject: string;
  readonly audience: string;
}

/** What AWS STS accepts (STS API reference, AssumeRoleWithWebIdentity): no PS*, no EdDSA. Times are whole numbers. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'];

/** STS gives an identity provider about this long to answer. Milliseconds. */
const FETCH_TIMEOUT_MS = 5_000;

const MAX_DOCUMENT_BYTES = 256 * 1024;

const discoveryDocument = z.object({ issuer: z.string(), jwks_uri: z.url() });
const keySetDocument = z.object({
  keys: z
    .array(z.looseObject({ kty: z.string(), kid: z.string() }))
    .min(1)
    .max(100),
});

/**
 * Checks a token as AWS STS does: reads `iss`, looks for the provider that is registered for it, fetches its discovery
 * document and keys over HTTP, verifies signature and times, and looks for the audience among the provider's.
 * @param now milliseconds since 1970
 * @throws StsError with AWS' codes
 */
export async function verifyWebIdentity(
  token: string,
  providers: readonly OidcProvider[],
  now: number,
): Promise<VerifiedIdentity & { readonly provider: OidcProvider }> {
  const provider = findProvider(token, providers);
  const keys = await fetchKeys(provider);
  const payload = await verify(token, keys, provider, now);
  const audiences = [payload.aud ?? []].flat();
  const audience = provider.clientIds.find((clientId) => audiences.includes(clientId));
  if (audience === undefined) throw invalidToken('Incorrect token audience');
  return { provider, subject: payload.sub ?? '', audience };
}

function findProvider(token: string, providers: readonly OidcProvider[]): OidcProvider {
  let issuer: unknown;
  try {
    issuer = decodeJwt(token).iss;
  } catch {
    throw invalidToken(
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
    );
  }
  const provider = providers.find((registered) => registered.issuer === issuer);
  if (provider === undefined) {
    const shown = typeof issuer === 'string' ? issuer : 'a token without issuer';
    throw invalidToken(`No OpenIDConnect provider found in your account for ${shown}`);
  }
  return provider;
}

async function fetchKeys(provider: OidcProvider) {
  const discovery = discoveryDocument.safeParse(await fetchJson(`${provider.issuer}/.well-known/openid-configuration`));
  if (!discovery.success || discovery.data.issuer !== provider.issuer) throw noKeys();
  const keySet = keySetDocument.safeParse(await fetchJson(discovery.data.jwks_uri));
  if (!keySet.success) throw noKeys();
  return createLocalJWKSet(keySet.data);
}

async function fetchJson(url: string): Promise<unknown> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    status = response.status;
    text = await response.text();
  } catch {
    throw new StsError(
      400,
      'IDPCommunicationError',
      'The request could not be fulfilled because the identity provider (IDP) that was asked to verify the incoming identity token could not be reached',
    );
  }
  if (status !== 200 || text.length > MAX_DOCUMENT_BYTES) throw noKeys();
  try {
    return JSON.parse(text);
  } catch {
    throw noKeys();
  }
}

async function verify(
  token: string,
  keys: Parameters<typeof jwtVerify>[1] & ReturnType<typeof createLocalJWKSet>,
  provider: OidcProvider,
  now: number,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: provider.issuer,
      algorithms: ALGORITHMS,
      currentDate: new Date(now),
      requiredClaims: ['sub', 'aud', 'exp', 'iat'],
    });
    const times = [payload.iat, payload.exp, payload.nbf].filter((time) => time !== undefined);
    if (times.every(Number.isInteger)) return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      throw new StsError(
        400,
        'ExpiredTokenException',
        'Token expired: current date/time must be before the expiration date/time',
      );
    }
    // Whatever is no error of the token's comes from a key that cannot be read.
    if (error instanceof errors.JWKSNoMatchingKey || !(error instanceof errors.JOSEError)) throw noKeys();
  }
  throw invalidToken('The web identity token could not be validated');
}

function invalidToken(message: string): StsError {
  return new StsError(400, 'InvalidIdentityToken', message);
}

function noKeys(): StsError {
  return invalidToken(
    "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
  );
}
