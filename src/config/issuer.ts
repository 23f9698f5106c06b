import { isLoopbackHost } from './listen-address.ts';

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
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || /[\s\\]/.test(text)) return { problem: 'expected a URL' };
  const developmentOnly = url.protocol === 'http:' && isLoopbackHost(url.hostname);
  if (url.protocol !== 'https:' && !developmentOnly) return { problem: 'expected an https URL' };
  if (url.username !== '' || url.password !== '') return { problem: 'expected a URL without credentials' };
  if (text.includes('?') || text.includes('#')) return { problem: 'expected a URL without query and fragment' };
  if (text.endsWith('/')) return { problem: 'expected a URL without a trailing slash' };
  const path = url.pathname === '/' ? '' : url.pathname;
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
