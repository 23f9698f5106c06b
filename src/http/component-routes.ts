import { canonicalHost } from '../base/canonical-host.ts';
import type { ComponentRoute } from '../config/component-route.ts';

/** Something that requests are sent to, and which ones. */
export interface Routed<T> {
  readonly route: ComponentRoute;
  readonly target: T;
}

/**
 * A table of routes. One with the request's host goes before those for any; of these the longest prefix wins.
 * @returns a function that gives the target of a request, by its Host header and its path; `undefined` for none
 */
export function createComponentRoutes<T>(routes: readonly Routed<T>[]): (host: string, path: string) => T | undefined {
  const bestFirst = routes.toSorted(
    ({ route: a }, { route: b }) =>
      Number(a.host === undefined) - Number(b.host === undefined) || b.prefix.length - a.prefix.length,
  );
  const byHost = routes.some(({ route }) => route.host !== undefined);
  return (authority, path) => {
    const name = byHost ? hostOf(authority) : undefined;
    return bestFirst.find(
      ({ route: { host, prefix } }) =>
        (host === undefined || host === name) && (path === prefix || path.startsWith(`${prefix}/`)),
    )?.target;
  };
}

/** Ports are not compared, since they prove nothing. */
function hostOf(authority: string): string | undefined {
  const [, host = ''] = /^(\[[^\]]*\]|[^:[\]]*)(?::[0-9]*)?$/.exec(authority) ?? [];
  return canonicalHost(host);
}

/**
 * Whether everybody reads the same from a path, so that no proxy before the host and no component behind it takes it for one
 * of another route: visible ASCII, no segment empty (but the last) or of dots, also behind a `;` and where it is
 * percent-encoded, no slash, `\` or control character that is percent-encoded, and no encoding that is none
 * (RFC 3986 sections 2.1, 3.3 and 6.2.2).
 * @param path as it comes, without the query
 */
export function isPlainPath(path: string): boolean {
  if (!/^\/(?:(?![#?\\])[\x21-\x7e])*$/.test(path)) return false;
  const segments = path.slice(1).split('/');
  return segments.every((segment, index) => (segment === '' ? index === segments.length - 1 : isPlainSegment(segment)));
}

function isPlainSegment(segment: string): boolean {
  if (/^\.\.?(?:;|$)/.test(segment)) return false;
  if (!segment.includes('%')) return true;
  const decoded = decode(segment);
  return decoded !== undefined && !/^\.\.?(?:;|$)|[/\\\p{Cc}]/u.test(decoded);
}

/** `undefined` for what is no percent-encoding of UTF-8, overlong forms of a dot included. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
