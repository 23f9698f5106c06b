import { isLoopbackHost, parseHttpUrl } from '../base/http-url.ts';

/** The issuer of the trust domain's JWT-SVIDs, and where its documents are. */
export interface Issuer {
  /** Exactly the text of the tokens' `iss`. Never normalised: recipients compare it byte by byte. */
  readonly url: string;
  /** Where it is served: the path of the discovery document and of the key set. */
  readonly discoveryPath: string;
  readonly keysPath: string;
  readonly discoveryUrl: string;
  readonly keysUrl: string;
}

/**
 * Reads an issuer URL: `https` (OpenID Connect Core section 2), or `http` on a loopback address for development. A path
 * is allowed; a query, a fragment, credentials or a trailing slash are not.
 * @returns the issuer, or what is wrong with the text
 */
export function parseIssuer(text: string): Issuer | { readonly problem: string } {
  const url = parseHttpUrl(text);
  if (url === undefined) return { problem: 'expected an https URL without credentials' };
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) return { problem: 'expected an https URL' };
  if (text.includes('?') || text.includes('#')) return { problem: 'expected a URL without query and fragment' };
  if (text.endsWith('/')) return { problem: 'expected a URL without a trailing slash' };
  const path = text.replace(/^https?:\/\/[^/]+/, '');
  // Clients that do not tidy a path up ask for it as written; those that do ask for what a URL parser makes of it.
  if (path !== '' && path !== url.pathname) return { problem: 'expected a URL with its path in normal form' };
  // OpenID Connect Discovery section 4: the well-known part is appended to the whole issuer, its path included.
  const discovery = '/.well-known/openid-configuration';
  return {
    url: text,
    discoveryPath: path + discovery,
    keysPath: `${path}/keys`,
    discoveryUrl: text + discovery,
    keysUrl: `${text}/keys`,
  };
}
