import type { Issuer } from '../config/issuer.ts';
import type { JwtAuthority, JwtBundle } from '../spiffe/jwt-bundle.ts';

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
