import type { AddressRange } from '../base/address-range.ts';
import { canonicalHost } from '../base/canonical-host.ts';
import { DEFAULT_PORT, type EgressRule } from './egress-rule.ts';

/** Where a request would go. */
export interface EgressTarget {
  /** `http` or `https`, in lower case. */
  readonly scheme: string;
  /** With or without the brackets of an IPv6 address; without userinfo and port. */
  readonly host: string;
  readonly port: number;
  /** As it will be sent, byte for byte, without the query. */
  readonly path: string;
}

/** A request that may be sent. */
export interface EgressPermit {
  /** Networks that the host may be in although they are private, loopback or link-local. */
  readonly addresses: readonly AddressRange[];
}

/**
 * May a request be sent there? The host is compared in its canonical form; what has none, such as `127.1` or `a.example.`, is
 * granted to nobody. A path is compared as it is written, since readers differ in what else it may mean; where a rule
 * grants only some paths, one that a server might read as another is none of them.
 * @returns what the rules that grant it allow besides; `undefined` where none does
 */
export function permitsEgress(rules: readonly EgressRule[], target: EgressTarget): EgressPermit | undefined {
  const host = canonicalHost(target.host);
  const path = target.path;
  if (host === undefined || !REQUEST_PATH.test(path)) return undefined;
  const granting = rules.filter(
    (rule) =>
      rule.scheme === target.scheme && rule.host === host && rule.port === target.port && coversPath(rule.path, path),
  );
  return granting.length === 0 ? undefined : { addresses: granting.flatMap(({ addresses }) => addresses) };
}

/**
 * Reads where a request would go from what the component wants to send.
 * @param authority host and perhaps port (RFC 9110 section 7.2)
 * @param pathWithQuery empty for `/`
 * @returns `undefined` for what goes nowhere: userinfo, an empty host, a port in another form than 1 to 65535, a fragment
 */
export function parseEgressTarget(scheme: string, authority: string, pathWithQuery: string): EgressTarget | undefined {
  if (scheme !== 'http' && scheme !== 'https') return undefined;
  const [, written = '', digits] = /^(\[[^\]]*\]|[^:[\]]*)(?::([1-9][0-9]{0,4}))?$/.exec(authority) ?? [];
  const host = canonicalHost(written);
  const port = digits === undefined ? DEFAULT_PORT[scheme] : Number(digits);
  const [beforeQuery = ''] = pathWithQuery.split('?', 1);
  const path = beforeQuery === '' ? '/' : beforeQuery;
  if (host === undefined || port > 65_535 || !REQUEST_PATH.test(path)) return undefined;
  return { scheme, host, port, path };
}

/** Visible ASCII that begins with a slash (RFC 9112 section 3.2.1), without what ends a path and without `\`, which some take for `/`. */
const REQUEST_PATH = /^\/(?:(?![?#\\])[\x21-\x7e])*$/;

function coversPath(granted: string, path: string): boolean {
  if (granted === '/') return true;
  const isThere = granted.endsWith('/') ? path.startsWith(granted) : path === granted;
  return isThere && isPlainPath(path);
}

/**
 * Whether everybody reads the same from a path: no segment is empty, and none comes to dots or holds a slash, however
 * often it is decoded, and whatever stands behind a `;` (RFC 3986 sections 3.3 and 6.2.2).
 */
function isPlainPath(path: string): boolean {
  const segments = path.slice(1).split('/');
  // The last one is empty where the path ends with a slash.
  return segments.every((segment, index) => (segment === '' ? index === segments.length - 1 : isPlainSegment(segment)));
}

/** Far more than any two servers in a row decode. */
const MAX_DECODINGS = 4;

function isPlainSegment(segment: string): boolean {
  let text = segment;
  for (let decodings = 0; decodings < MAX_DECODINGS; decodings += 1) {
    const folded = fold(text);
    if (isMisread(folded)) return false;
    if (!folded.includes('%')) return true;
    const decoded = decode(folded);
    if (decoded === undefined) return false;
    text = decoded;
  }
  return false;
}

/** As some servers read what is not ASCII: without what cannot be seen, letters of full width (a percent sign, too) as others. */
function fold(text: string): string {
  return text.normalize('NFKC').replace(/\p{Default_Ignorable_Code_Point}/gu, '');
}

/**
 * Slashes, control characters, and dots before nothing, white space or `;`. U+2044, U+2215 and U+29F8 become slashes where text
 * is brought into a smaller character set, and U+2216, U+29F5 and U+29F9 backslashes ("best fit" of Windows).
 */
function isMisread(text: string): boolean {
  return /[/\\\u2044\u2215\u2216\u29f5\u29f8\u29f9\p{Cc}]|^\s*\.+\s*(?:;|$)/u.test(text);
}

/** `undefined` for what is no percent-encoding of UTF-8, overlong forms of a dot included. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
