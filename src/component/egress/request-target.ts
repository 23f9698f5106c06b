import { DEFAULT_PORT } from '../../policy/egress-rule.ts';
import { parseEgressTarget } from '../../policy/permits-egress.ts';
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

const MAX_PATH_LENGTH = 16 * 1024;

/** Visible ASCII but for the fragment, which is not sent, and for `\`. RFC 9112 section 3.2.1 has fewer; browsers send these. */
const QUERY = /^(?:\?(?:(?![#\\])[\x21-\x7e])*)?$/;

/**
 * Reads where a request is to go. The host is in its canonical form from here on: it is what is looked up, what the
 * certificate must be for, and what `Host` says.
 * @throws EgressError `HTTP-request-URI-invalid` or `HTTP-request-URI-too-long`
 */
export function parseRequestTarget(scheme: string, authority: string, pathWithQuery: string): RequestTarget {
  if (pathWithQuery.length > MAX_PATH_LENGTH) {
    throw new EgressError('HTTP-request-URI-too-long', 'its path and query are too long');
  }
  const target = parseEgressTarget(scheme, authority, pathWithQuery);
  const start = pathWithQuery.indexOf('?');
  const query = start === -1 ? '' : pathWithQuery.slice(start);
  if (target === undefined || (scheme !== 'http' && scheme !== 'https') || !QUERY.test(query)) {
    throw new EgressError('HTTP-request-URI-invalid', 'its scheme, authority, path or query is malformed');
  }
  const { host, port, path } = target;
  const name = host.includes(':') ? `[${host}]` : host;
  return { scheme, host, port, authority: port === DEFAULT_PORT[scheme] ? name : `${name}:${port}`, path, query };
}
