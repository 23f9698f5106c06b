/**
 * Headers that a component can neither set on a request nor gets to see of an answer: those about the connection (RFC 9110
 * section 7.6.1), which is the host's; those that say where a body ends (RFC 9112 section 6.1), which must have one reading;
 * and `Host`, which is the authority. In `wasi:http` a `fields` refuses them with `header-error.forbidden`.
 *
 * `Content-Length` is not among them: it is held against the body.
 */
export const FORBIDDEN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Fields that mean nothing, or mischief, where they come after the body (RFC 9110 section 6.5.1). */
const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set([
  ...FORBIDDEN_HEADERS,
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'max-forwards',
  'range',
  'set-cookie',
]);

/**
 * Headers in which some servers look for the path of a request, in place of its first line (IIS URL Rewrite, and frameworks that
 * follow it): CVE-2018-14773.
 */
const PATH_HEADERS: ReadonlySet<string> = new Set(['x-original-url', 'x-override-url', 'x-rewrite-url']);

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** True for the name of a method or a field: a `token`. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** @param name in any case */
export function isForbiddenHeader(name: string): boolean {
  return FORBIDDEN_HEADERS.has(name.toLowerCase());
}

/** @param name in any case */
export function isForbiddenTrailer(name: string): boolean {
  return FORBIDDEN_TRAILERS.has(name.toLowerCase());
}

/**
 * True for a header that some servers take a path from.
 * @param name in any case
 */
export function isPathHeader(name: string): boolean {
  return PATH_HEADERS.has(plainName(name));
}

/** The name of a header in lower case, with dashes, as servers know it that hand headers on as variables (RFC 3875 section 4.1.18). */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

/** True for a `field-value` (RFC 9110 section 5.5): no control character but tab, and no blank at its ends. */
export function isFieldValue(value: Uint8Array): boolean {
  const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;
  if (isBlank(value[0]) || isBlank(value.at(-1))) return false;
  return value.every((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));
}
