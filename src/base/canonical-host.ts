import { parseHostName } from './http-url.ts';
import { ipVersion } from './ip-version.ts';

/** RFC 1035 section 2.3.4 bounds labels and names; an underscore is found in names of services and of containers. */
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/**
 * The one spelling of a host, so that two that are the same host are the same text.
 *
 * What different readers take for different hosts is none: IPv4 addresses in another form than four decimal numbers
 * (`127.1`, `0x7f.1`, `2130706433`), zones of IPv6 addresses, a trailing dot, percent-encoding, letters beyond ASCII.
 * @param text a DNS name, an IPv4 address, or an IPv6 address with or without brackets
 * @returns the name in lower case, the IPv4 address, or the IPv6 address without brackets as RFC 5952 section 4 has it;
 *   `undefined` when the text is something else
 */
export function canonicalHost(text: string): string | undefined {
  const [, bracketed] = /^\[([0-9a-f:.]+)\]$/i.exec(text) ?? [];
  const address = bracketed ?? text;
  if (ipVersion(address) === 6) return new URL(`http://[${address}]`).hostname.slice(1, -1);
  const name = parseHostName(text);
  return name !== undefined && DNS_NAME.test(name) ? name : undefined;
}
