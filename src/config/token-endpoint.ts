import type { Issuer } from './issuer.ts';

/** The token endpoint of an issuer. */
export interface TokenEndpointConfig {
  /** The one audience that a subject token must have. */
  readonly audience: string;
  readonly url: string;
  readonly path: string;
  /** Where the metadata that lead to it are. */
  readonly metadataPath: string;
}

/**
 * The token endpoint at `<issuer>/token`.
 * @param audience that of the subject tokens: the issuer itself, which is how the drafts that tell clients whom to address a
 *   token to name an authorization server (draft-ietf-oauth-rfc7523bis, draft-ietf-oauth-spiffe-client-auth)
 */
export function tokenEndpointConfig({ url, path }: Issuer, audience: string = url): TokenEndpointConfig {
  return {
    audience,
    url: `${url}/token`,
    path: `${path}/token`,
    // RFC 8414 section 3: the well-known part goes between the host and the path, unlike that of OpenID Connect.
    metadataPath: `/.well-known/oauth-authorization-server${path}`,
  };
}
