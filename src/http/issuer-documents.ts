import type { Issuer } from '../config/issuer.ts';
import type { JwtAuthority, JwtBundle } from '../spiffe/jwt-bundle.ts';
import { type PublishedDocument, publishedDocument } from './published-document.ts';

/**
 * What the issuer publishes, by path: exactly the keys of the bundle. SPIRE keeps an old key in it until no token of that
 * key can be alive, and takes a compromised one out at once; nothing is held longer here, or let go of sooner.
 *
 * Without a key there is nothing: an empty key set would be kept by those who read it.
 */
export function issuerDocuments(issuer: Issuer, bundle: JwtBundle | undefined): ReadonlyMap<string, PublishedDocument> {
  if (bundle === undefined || bundle.authorities.length === 0) return new Map();
  const keys = publishedDocument(keySet(bundle));
  return new Map([
    [issuer.discoveryPath, publishedDocument(discoveryDocument(issuer, bundle))],
    ...keyPaths(issuer).map((path) => [path, keys] as const),
  ]);
}

/** Every path at which the issuer has something, whether there is a key yet or not. */
export function issuerPaths(issuer: Issuer): string[] {
  return [issuer.discoveryPath, ...keyPaths(issuer)];
}

/** The usual path stays when `jwksUri` names another: who has read the discovery document of before still asks there. */
function keyPaths(issuer: Issuer): string[] {
  return [...new Set([issuer.keysPath, `${issuer.path}/keys`])];
}

/**
 * The discovery document (OpenID Connect Discovery section 3) of an issuer that only signs: it has keys, and no endpoint
 * that anybody logs in at, so none is named. The algorithms are those of the keys that are really there.
 */
export function discoveryDocument(issuer: Issuer, bundle: JwtBundle): object {
  return {
    issuer: issuer.url,
    jwks_uri: issuer.keysUrl,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(bundle.authorities.map(signingAlgorithm))].sort(),
  };
}

/** The key set (RFC 7517 section 5), each key with what clouds look for: `kid`, `use` and `alg`. */
export function keySet(bundle: JwtBundle): object {
  return {
    keys: bundle.authorities.map((authority) => ({
      ...authority.jwk,
      kid: authority.keyId,
      use: 'sig',
      alg: signingAlgorithm(authority),
    })),
  };
}

/** An RSA key could verify six algorithms; SPIRE signs with RS256 (SPIRE server, jwt_key_type). */
function signingAlgorithm(authority: JwtAuthority): string {
  return authority.algorithms[0];
}
