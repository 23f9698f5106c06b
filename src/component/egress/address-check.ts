import { BlockList, isIP } from 'node:net';
import type { AddressRange } from '../../base/address-range.ts';
import { createAddressRanges } from '../../base/address-ranges.ts';
import { ipv4OfGroups, ipv6Groups, mappedIpv4 } from '../../base/ipv6-groups.ts';

/**
 * What is not the public internet, by the IANA IPv4 Special-Purpose Address Registry, with multicast (RFC 5771), and the
 * metadata services that have an address elsewhere.
 */
const SPECIAL_IPV4 = blockList('ipv4', [
  ['0.0.0.0', 8], // "this network", RFC 791
  ['10.0.0.0', 8], // private, RFC 1918
  ['100.64.0.0', 10], // carrier-grade NAT, RFC 6598; 100.100.100.200 is Alibaba Cloud's metadata service
  ['127.0.0.0', 8], // loopback, RFC 1122
  ['168.63.129.16', 32], // Azure's wire server, on every virtual machine
  ['169.254.0.0', 16], // link-local, RFC 3927; 169.254.169.254 is the metadata service of nearly all clouds
  ['172.16.0.0', 12], // private, RFC 1918
  ['192.0.0.0', 24], // IETF protocol assignments, RFC 6890; 192.0.0.192 is Oracle Cloud's metadata service
  ['192.0.2.0', 24], // documentation, RFC 5737
  ['192.88.99.0', 24], // 6to4 relays, RFC 7526
  ['192.168.0.0', 16], // private, RFC 1918
  ['198.18.0.0', 15], // benchmarking, RFC 2544
  ['198.51.100.0', 24], // documentation, RFC 5737
  ['203.0.113.0', 24], // documentation, RFC 5737
  ['224.0.0.0', 4], // multicast, RFC 5771
  ['240.0.0.0', 4], // reserved, RFC 1112, with the broadcast address, RFC 919
]);

/**
 * All that IANA has given out as global unicast (RFC 4291 section 2.4). Outside of it are loopback (::1), link-local
 * (fe80::/10), unique local (fc00::/7; fd00:ec2::254 is AWS' metadata service), multicast (ff00::/8) and all the forms that
 * have an IPv4 address in them, but for those below.
 */
const GLOBAL_IPV6 = blockList('ipv6', [['2000::', 3]]);

/** What of it is not the public internet, by the IANA IPv6 Special-Purpose Address Registry. */
const SPECIAL_IPV6 = blockList('ipv6', [
  ['2001::', 23], // IETF protocol assignments, RFC 2928: with Teredo, RFC 4380, which has an IPv4 address in it
  ['2001:db8::', 32], // documentation, RFC 3849
  ['2002::', 16], // 6to4, RFC 3056, which has an IPv4 address in it; given up by RFC 7526
  ['3fff::', 20], // documentation, RFC 9637
]);

/** The well-known prefix of NAT64, 64:ff9b::/96 (RFC 6052 section 2.1): how hosts without IPv4 reach it. */
const NAT64_PREFIX = [0x64, 0xff9b, 0, 0, 0, 0];

/**
 * May a connection be made to this address?
 *
 * To an address of the public internet, yes; to any other, if it is in one of the granted networks. An IPv4 address in an
 * IPv4-mapped or a NAT64 one counts as what it is itself: that is where packets would go.
 * @param granted networks that are allowed although they are private, loopback, link-local or anything else
 * @returns false also for what is no IP address
 */
export function createAddressCheck(granted: readonly AddressRange[]): (address: string) => boolean {
  const isGranted = createAddressRanges(granted);
  return (text) => {
    const address = plainAddress(text);
    if (address === undefined) return false;
    return isPublic(address) || isGranted(address);
  };
}

/** Without a zone, and the IPv4 address of an IPv4-mapped one; `undefined` for what is no IP address. */
function plainAddress(text: string): string | undefined {
  const version = isIP(text);
  if (version !== 6) return version === 4 ? text : undefined;
  return mappedIpv4(ipv6Groups(text)) ?? text.split('%', 1)[0];
}

function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !SPECIAL_IPV4.check(address, 'ipv4');
  const groups = ipv6Groups(address);
  if (NAT64_PREFIX.every((group, index) => groups[index] === group)) return isPublic(ipv4OfGroups(groups.slice(6)));
  return GLOBAL_IPV6.check(address, 'ipv6') && !SPECIAL_IPV6.check(address, 'ipv6');
}

function blockList(family: 'ipv4' | 'ipv6', networks: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of networks) list.addSubnet(address, prefix, family);
  return list;
}
