import { ipv6Groups, mappedIpv4 } from './ipv6-groups.ts';

/**
 * Whom an IP address stands for when clients are told apart: an IPv4 address for itself, an IPv6 address for its /64, which
 * is what one customer is given at least and can change within at will (RFC 6177 section 2, RFC 8981).
 * @param address an IPv4 address, or an IPv6 address in any of its forms, with or without a zone
 * @returns the same text for all addresses of the same client
 */
export function clientNetwork(address: string): string {
  if (!address.includes(':')) return address;
  const groups = ipv6Groups(address);
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return mappedIpv4(groups) ?? `${network.join(':')}::/64`;
}
