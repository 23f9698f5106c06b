import type { AddressRange } from './address-range.ts';
import { ipVersion } from './ip-version.ts';
import { ipv6Groups, mappedIpv4 } from './ipv6-groups.ts';

/**
 * Makes the check whether an address is in one of these networks.
 *
 * IPv4 and IPv6 stay apart: to Node's `BlockList` each IPv4 address is also the IPv6 address that maps it, so that `::1/64`
 * would have all of IPv4 in it, the metadata services included. An IPv4-mapped address is the IPv4 address that it maps.
 * @returns a function that takes an address with or without a zone, and gives false also for what is no address
 */
export function createAddressRanges(ranges: readonly AddressRange[]): (address: string) => boolean {
  const networks = ranges.map(({ address, prefix, family }) => {
    const hostBits = BigInt((family === 'ipv4' ? 32 : 128) - prefix);
    return { family, hostBits, network: numberOf(address, family) >> hostBits };
  });
  return (text) => {
    const [bare = ''] = text.split('%', 1);
    const version = ipVersion(bare);
    if (version === undefined) return false;
    const address = (version === 6 ? mappedIpv4(ipv6Groups(bare)) : undefined) ?? bare;
    const family = version === 4 || address !== bare ? 'ipv4' : 'ipv6';
    const number = numberOf(address, family);
    return networks.some((range) => range.family === family && number >> range.hostBits === range.network);
  };
}

function numberOf(address: string, family: AddressRange['family']): bigint {
  const isIpv4 = family === 'ipv4';
  const groups: readonly number[] = isIpv4 ? address.split('.').map(Number) : ipv6Groups(address);
  return groups.reduce((number, group) => (number << (isIpv4 ? 8n : 16n)) | BigInt(group), 0n);
}
