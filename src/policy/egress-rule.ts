import type { AddressRange } from '../base/address-range.ts';

/** Where a component may send requests: all of it must be the same, and the path as `path` says. */
export interface EgressRule {
  readonly scheme: 'http' | 'https';
  /** A DNS name in lower case without a trailing dot, an IPv4 address, or an IPv6 address in its canonical form (RFC 5952). */
  readonly host: string;
  readonly port: number;
  /** `/` for everything, what ends with `/` for everything below it, else this one path. */
  readonly path: string;
  /** Networks that the name may resolve to although they are private, loopback or link-local. */
  readonly addresses: readonly AddressRange[];
}
