import { isForbiddenHeader } from './egress/header-rules.ts';

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

/** What a component may see of headers that came from outside. */
export function withoutForbidden(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !isForbiddenHeader(name));
}
