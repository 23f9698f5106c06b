import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import { z } from 'zod';

/** Whose JWT-SVIDs a server accepts. */
export interface TrustedSvids {
  /** The OIDC issuer that publishes their keys; exactly their `iss`. */
  readonly issuer: string;
  readonly subjects: readonly string[];
  /** The one audience they must have. */
  readonly audience: string;
}

/** Why a JWT-SVID is not accepted. */
export class SvidRefused extends Error {}

const discoveryDocument = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) });

/**
 * Checks a JWT-SVID as a relying party does that knows its issuer alone: keys over HTTP by way of the issuer's discovery
 * document; issuer, audience and subject to the letter.
 * @returns its subject
 * @throws SvidRefused
 */
export async function verifySvid(token: string, trusted: TrustedSvids): Promise<string> {
  const discovery = discoveryDocument.parse(await fetchJson(`${trusted.issuer}/.well-known/openid-configuration`));
  if (discovery.issuer !== trusted.issuer) throw new SvidRefused('the issuer publishes metadata of another one');
  const keys = createLocalJWKSet(keySet.parse(await fetchJson(discovery.jwks_uri)));
  const { payload } = await jwtVerify(token, keys, { issuer: trusted.issuer, requiredClaims: ['exp'] }).catch(
    (error: unknown) => {
      throw error instanceof errors.JOSEError ? new SvidRefused(`${error.code} (${error.message})`) : error;
    },
  );
  if (JSON.stringify([payload.aud].flat()) !== JSON.stringify([trusted.audience])) throw new SvidRefused('audience');
  if (payload.sub === undefined || !trusted.subjects.includes(payload.sub)) throw new SvidRefused('subject');
  return payload.sub;
}

async function fetchJson(url: string): Promise<unknown> {
  const response = await fetch(url, { redirect: 'error' });
  if (!response.ok) throw new SvidRefused(`the issuer answered HTTP ${response.status}`);
  return response.json();
}
