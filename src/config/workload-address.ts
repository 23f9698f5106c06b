import { isIP } from 'node:net';
import { parseUnixAddress } from './unix-address.ts';

/** Where a SPIFFE Workload API is. */
export interface WorkloadAddress {
  /** As gRPC writes it: `unix:/path`, `ipv4:127.0.0.1:8081`, `ipv6:[::1]:8081`. */
  readonly target: string;
}

/**
 * Reads `unix:///path` or `tcp://IP:port` (SPIFFE Workload Endpoint section 4). Names are refused as the document wants it,
 * and a port is required: nothing else is a TCP endpoint.
 * @returns the address, or what is wrong with the text
 */
export function parseWorkloadAddress(text: string): WorkloadAddress | { readonly problem: string } {
  const problem = 'expected the address of a Workload API, unix:///path or tcp://IP:port';
  if (text.startsWith('unix:')) {
    const address = parseUnixAddress(text);
    return 'path' in address ? { target: `unix:${address.path}` } : { problem };
  }
  const [, ipv6, ipv4, digits] = /^tcp:\/\/(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/i.exec(text) ?? [];
  if (Number(digits) <= 65_535) {
    if (ipv4 !== undefined && isIP(ipv4) === 4) return { target: `ipv4:${ipv4}:${digits}` };
    if (ipv6 !== undefined && isIP(ipv6) === 6) return { target: `ipv6:[${ipv6}]:${digits}` };
  }
  return { problem };
}
