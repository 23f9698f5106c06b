import { parseHostName } from '../../base/http-url.ts';
import { EgressError } from './error-code.ts';

/** Where a request goes: scheme, host and port make its origin. */
export interface RequestTarget {
  readonly scheme: 'http' | 'https';
  /** A DNS name in lower case, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** The value of `Host`: without the port where that is the scheme's own (RFC 9110 section 4.2). */
  readonly authority: string;
  /** With a slash at its beginning, without query. */
  readonly path: string;
  /** With its question mark; empty for none. */
  readonly query: string;
}

const DEFAULT_PORT = { http: 80, https: 443 } as const;

const MAX_PATH_LENGTH = 16 * 1024;

/** Visible ASCII (RFC 9112 section 3.2.1 has fewer) but for the fragment, which is not sent, and what is read as a slash by some. */
const PATH_WITH_QUERY = /^\/[!"$-[\]-~]*$/;

const MALFORMED_PERCENT = /%(?![0-9a-f]{2})/i;

/**
 * Reads where a request is to go, in the one form that can be misread by nobody.
 * @throws EgressError `HTTP-request-URI-invalid` or `HTTP-request-URI-too-long`
 */
export function parseRequestTarget(scheme: string, authority: string, pathWithQuery: string): RequestTarget {
  if (scheme !== 'http' && scheme !== 'https') throw invalid('its scheme is neither http nor https');
  const { host, port } = parseAuthority(authority, DEFAULT_PORT[scheme]);
  const text = pathWithQuery === '' ? '/' : pathWithQuery;
  if (text.length > MAX_PATH_LENGTH) throw new EgressError('HTTP-request-URI-too-long', 'its path is too long');
  if (!PATH_WITH_QUERY.test(text)) throw invalid('its path is not in origin-form (RFC 9112 section 3.2.1)');
  const start = text.indexOf('?');
  const path = start === -1 ? text : text.slice(0, start);
  if (MALFORMED_PERCENT.test(path)) throw invalid('its path has a percent sign that begins nothing');
  if (climbs(path)) throw invalid('its path has a dot segment');
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    scheme,
    host,
    port,
    authority: port === DEFAULT_PORT[scheme] ? name : `${name}:${port}`,
    path,
    query: start === -1 ? '' : text.slice(start),
  };
}

/** Credentials, which RFC 9110 section 4.2.4 wants nobody to send, make it no authority. */
function parseAuthority(text: string, defaultPort: number): { host: string; port: number } {
  const [, name = '', digits] = /^(\[[^\]]*\]|[^:]*)(?::([1-9][0-9]{0,4}))?$/.exec(text) ?? [];
  const host = parseHostName(name);
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || port > 65_535) throw invalid('its authority is no host with or without a port');
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port };
}

/**
 * Has the path a segment `..` or `.`, or what a server may take for one? Some decode `%2F` and `%5C` first, some decode
 * twice, and some drop what follows a semicolon (RFC 3986 section 3.3). Where a policy grants a path, none may lead out of it.
 */
function climbs(path: string): boolean {
  let decoded = path;
  for (let last = ''; decoded !== last; ) {
    last = decoded;
    decoded = decoded.replace(/%(2e|2f|5c|3b|25)/gi, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
  }
  return decoded.split(/[/\\]/).some((segment) => /^\.{1,2}(;|$)/.test(segment));
}

function invalid(reason: string): EgressError {
  return new EgressError('HTTP-request-URI-invalid', reason);
}
