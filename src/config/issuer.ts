import { isLoopbackHost, parseHttpUrl } from '../base/http-url.ts';

/** The issuer of the trust domain's JWT-SVIDs, and where its documents are. */
export interface Issuer {
  /** Exactly the text of the tokens' `iss`. Never normalised: recipients compare it byte by byte. */
  readonly url: string;
  /** The path of the issuer itself: empty, or beginning with a slash. */
  readonly path: string;
  /** Where it is served: the path of the discovery document and of the key set. */
  readonly discoveryPath: string;
  readonly keysPath: string;
  readonly discoveryUrl: string;
  readonly keysUrl: string;
}

/** Where verifiers find the key set, when it is not below the issuer. */
export type KeysLocation = Pick<Issuer, 'keysUrl' | 'keysPath'>;

/**
 * Reads an issuer URL: `https` (OpenID Connect Core section 2), or `http` on a loopback address for development. A path
 * is allowed; a query, a fragment, credentials or a trailing slash are not.
 * @returns the issuer, or what is wrong with the text
 */
export function parseIssuer(text: string): Issuer | { readonly problem: string } {
  const path = pathOf(text);
  if (typeof path === 'object') return path;
  // OpenID Connect Discovery section 4: the well-known part is appended to the whole issuer, its path included.
  const discovery = '/.well-known/openid-configuration';
  return {
    url: text,
    path,
    discoveryPath: path + discovery,
    keysPath: `${path}/keys`,
    discoveryUrl: text + discovery,
    keysUrl: `${text}/keys`,
  };
}

/**
 * Reads the URL of a key set that is not below its issuer: under the same rules, and with a path.
 * @returns the location, or what is wrong with the text
 */
export function parseJwksUri(text: string): KeysLocation | { readonly problem: string } {
  const path = pathOf(text);
  if (typeof path === 'object') return path;
  if (path === '') return { problem: 'expected a URL with a path' };
  if (/^\/(livez|readyz)(\/|$)/.test(path)) return { problem: 'expected another path: health checks are there' };
  if (path.endsWith('/.well-known/openid-configuration')) {
    return { problem: 'expected another path: discovery documents are there' };
  }
  return { keysUrl: text, keysPath: path };
}

/** The hosts in an issuer's URLs, in lower case and without ports, each once. */
export function hostsOf({ url, keysUrl }: Issuer): string[] {
  return [...new Set([url, keysUrl].map((text) => new URL(text).hostname))];
}

/** The path as it is written, or what is wrong with the URL. */
function pathOf(text: string): string | { readonly problem: string } {
  const url = parseHttpUrl(text);
  if (url === undefined) return { problem: 'expected an https URL without credentials' };
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) return { problem: 'expected an https URL' };
  if (text.includes('?') || text.includes('#')) return { problem: 'expected a URL without query and fragment' };
  if (text.endsWith('/')) return { problem: 'expected a URL without a trailing slash' };
  const path = text.replace(/^https?:\/\/[^/]+/, '');
  // Clients that do not tidy a path up ask for it as written; those that do ask for what a URL parser makes of it.
  return path === '' || path === url.pathname ? path : { problem: 'expected a URL with its path in normal form' };
}
