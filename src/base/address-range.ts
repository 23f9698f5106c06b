import { ipVersion } from './ip-version.ts';
import { ipv6Groups, mappedIpv4 } from './ipv6-groups.ts';

/** A network in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3). */
export interface AddressRange {
  readonly address: string;
  /** How many leading bits an address must share: 1 to 32, or to 128. */
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32` or one address. A prefix of 0, which is everybody, is refused, and so are IPv4 addresses
 * that are written as IPv6 addresses: they have a form of their own.
 * @returns `undefined` when the text is none of these
 */
export function parseAddressRange(text: string): AddressRange | undefined {
  const [, address = '', digits] = /^([0-9a-f:.]+)(?:\/([1-9][0-9]{0,2}))?$/i.exec(text) ?? [];
  const version = ipVersion(address);
  if (version === undefined || (version === 6 && mappedIpv4(ipv6Groups(address)) !== undefined)) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefix = Number(digits ?? bits);
  return prefix <= bits ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : undefined;
}
