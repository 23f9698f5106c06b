/** HTTP as it crosses the border between a component's thread and the host: plain values that can be sent. */

/** Names in the spelling they came in, values as texts of bytes (latin1), in order; a name may be there several times. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** What a component is asked, and what it asks: the head of a request. */
export interface RequestHead {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host and port, as in the `Host` header. */
  readonly authority: string;
  readonly pathWithQuery: string;
  readonly headers: HeaderList;
}

/** Milliseconds, where the component sets them. */
export interface RequestTimeouts {
  readonly connectMs: number | undefined;
  readonly firstByteMs: number | undefined;
  readonly betweenBytesMs: number | undefined;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderList;
}

/** RFC 9110 section 5.6.2: what names of headers and methods are made of. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;

/** RFC 9110 section 5.5: visible characters, space, tab, and the bytes beyond ASCII; no control characters. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What is about the connection or the framing, and so is the host's: RFC 9110 section 7.6.1, RFC 9112. */
const FORBIDDEN = new Set([
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** May a text be the name of a header, or a method? */
export function isHttpToken(text: string): boolean {
  return TOKEN.test(text);
}

/** May a text, one character a byte, be the value of a header? */
export function isFieldValue(text: string): boolean {
  return FIELD_VALUE.test(text);
}

/** May only the host set the header of this name, in any case? */
export function isForbiddenHeader(name: string): boolean {
  return FORBIDDEN.has(name.toLowerCase());
}

/** What a component may see of headers that came from outside. */
export function withoutForbidden(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !isForbiddenHeader(name));
}
