/**
 * Whom an IP address stands for when clients are told apart: an IPv4 address for itself, an IPv6 address for its /64, which
 * is what one customer is given at least and can change within at will (RFC 6177 section 2, RFC 8981).
 * @param address an IPv4 address, or an IPv6 address in any of its forms, with or without a zone
 * @returns the same text for all addresses of the same client
 */
export function clientNetwork(address: string): string {
  if (!address.includes(':')) return address;
  const [bare = ''] = address.split('%', 1);
  const [head = '', tail] = bare.split('::');
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  const groups = [...left, ...Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
  // RFC 4291 section 2.5.5.2: an IPv4 address as a socket for both families shows it.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
