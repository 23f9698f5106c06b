import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { AddressRange } from '../base/address-range.ts';
import { createAddressRanges } from '../base/address-ranges.ts';

/**
 * Who asks, for limits only, never for trust: the peer, or where that is one of our proxies, the client it speaks for.
 *
 * Each proxy adds to the right end of `X-Forwarded-For` whom it was asked by, so what stands left of the first address that
 * is not a proxy's is hearsay. Where a proxy wrote no address, the proxy itself is the client.
 * @returns a function that gives an IP address, empty for a peer that is gone already
 */
export function createClientAddress(trustedProxies: readonly AddressRange[]): (request: IncomingMessage) => string {
  if (trustedProxies.length === 0) return peerAddress;
  const isProxy = createAddressRanges(trustedProxies);

  return (request) => {
    let client = peerAddress(request);
    if (client === '' || !isProxy(client)) return client;
    const forwarded = request.headers['x-forwarded-for'];
    // Node joins several of these headers in their order, which is what RFC 9110 section 5.3 makes of them.
    const hops = typeof forwarded === 'string' ? forwarded.split(',') : [];
    for (const hop of hops.reverse()) {
      const address = addressOf(hop.trim());
      if (address === undefined) return client;
      client = address;
      if (!isProxy(client)) return client;
    }
    return client;
  };
}

function peerAddress(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? '';
}

/** The address of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`, as proxies write them. */
function addressOf(hop: string): string | undefined {
  const address = /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([0-9.]+)(?::\d+)?$/.exec(hop)?.[1] ?? hop;
  return isIP(address) === 0 ? undefined : address;
}
