import { z } from 'zod';
import { type AddressRange, parseAddressRange } from '../base/address-range.ts';
import { canonicalHost } from '../base/canonical-host.ts';
import { ipVersion } from '../base/ip-version.ts';

/** Where a component may send requests: all of it must be the same, and the path as `path` says. */
export interface EgressRule {
  readonly scheme: 'http' | 'https';
  /** A DNS name in lower case without a trailing dot, an IPv4 address, or an IPv6 address as in RFC 5952, without brackets. */
  readonly host: string;
  readonly port: number;
  /** `/` for everything, what ends with `/` for everything below it, else this one path. */
  readonly path: string;
  /** Networks that the host may be in although they are private, loopback or link-local. */
  readonly addresses: readonly AddressRange[];
}

/** What a scheme says where no port is written (RFC 9110 sections 4.2.1 and 4.2.2). */
export const DEFAULT_PORT = { http: 80, https: 443 } as const;

export const HOST_EXPECTED =
  'expected a DNS name in ASCII without a trailing dot, an IPv4 address of four decimal numbers, or an IPv6 address';

/** Scheme, authority, path. Neither userinfo nor query nor fragment gets in unseen: `@`, `?` and `#` are in no part. */
const URL_PARTS = /^(https?):\/\/([^/@?#\\\s]+)(\/[^@?#\\\s]*)?$/;

/** Host and port; what is odd about the host shows when it is read. */
const AUTHORITY = /^(\[[^\]]*\]|[^:]*)(?::([1-9][0-9]{0,4}))?$/;

/** Segments of what needs no encoding and means the same to everybody: no `%`, no `;`, no `*`, none that is empty. */
const PATH = /^\/(?:[A-Za-z0-9._~!$&'()+,=:-]+\/)*(?:[A-Za-z0-9._~!$&'()+,=:-]+)?$/;

/**
 * Reads where requests may go: `https://api.example.com:8443/v1/`.
 * @returns the rule without `addresses` beyond that of a host which is an address itself, or what was expected
 */
export function parseEgressUrl(text: string): EgressRule | { readonly problem: string } {
  if (text.includes('*')) return { problem: 'expected one host and one path: there are no wildcards' };
  const [, scheme, authority = '', path = '/'] = URL_PARTS.exec(text) ?? [];
  if (scheme !== 'http' && scheme !== 'https') {
    return {
      problem: 'expected https://HOST or http://HOST, perhaps with a port and a path; no credentials, query, fragment',
    };
  }
  const [match, written = '', digits] = AUTHORITY.exec(authority) ?? [];
  const port = digits === undefined ? DEFAULT_PORT[scheme] : Number(digits);
  if (match === undefined || port > 65_535) return { problem: 'expected one host, perhaps with a port of 1 to 65535' };
  const host = parseHost(written);
  if (host === undefined) return { problem: HOST_EXPECTED };
  if (!PATH.test(path) || path.split('/').some(isDots)) {
    return { problem: 'expected a path of plain segments: nothing percent-encoded, none empty, none of dots, no ";"' };
  }
  return Object.freeze({ scheme, host, port, path, addresses: ownAddress(host) });
}

/** The canonical host, but for IPv4 addresses that are written as IPv6 addresses: they have a form of their own. */
export function parseHost(text: string): string | undefined {
  // With brackets, as an authority has it: what is left over of a host and a port is no IPv6 address.
  const host = text.includes(':') && !text.startsWith('[') ? undefined : canonicalHost(text);
  return host?.startsWith('::ffff:') ? undefined : host;
}

/** Whoever grants an address by its number has granted that address, private or not. */
export function ownAddress(host: string): readonly AddressRange[] {
  const range = ipVersion(host) === undefined ? undefined : parseAddressRange(host);
  return Object.freeze(range === undefined ? [] : [Object.freeze(range)]);
}

function isDots(segment: string): boolean {
  return /^\.+$/.test(segment);
}

const urlText = z
  .string()
  .max(2048)
  .meta({ pattern: '^https?://[^/@?#*\\\\\\s]+(/[^@?#*%;\\\\\\s]*)?$' })
  .transform((text, context) => {
    const rule = parseEgressUrl(text);
    if (!('problem' in rule)) return rule;
    context.addIssue({ code: 'custom', message: rule.problem });
    return z.NEVER;
  });

const rangeText = z
  .string()
  .max(64)
  .transform((text, context) => {
    const range = parseAddressRange(text);
    if (range !== undefined) return Object.freeze(range);
    context.addIssue({ code: 'custom', message: 'expected an address or a network, such as 10.0.0.0/8' });
    return z.NEVER;
  });

const withAddresses = z
  .strictObject({
    url: urlText,
    addresses: z.array(rangeText).min(1, 'expected at least one network; leave the key out for none').max(100),
  })
  .transform(({ url, addresses }, context): EgressRule => {
    if (url.addresses.length === 0) return Object.freeze({ ...url, addresses: Object.freeze(addresses) });
    const message = 'expected only with a name: the host is an address, which is granted as it is';
    context.addIssue({ code: 'custom', path: ['addresses'], message });
    return z.NEVER;
  });

/** A rule as a policy has it: a URL, or one with the networks that its name may resolve to. */
export const egressDocument = z.union([urlText, withAddresses], {
  error: 'expected a URL, or { url, addresses }',
});
