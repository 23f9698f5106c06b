const IPV4 = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/**
 * Which kind of IP address a text is: 4 for four decimal numbers, 6 for any form of RFC 4291 section 2.2, without brackets
 * and without a zone; `undefined` for anything else, such as `127.1` or `010.0.0.1`.
 */
export function ipVersion(text: string): 4 | 6 | undefined {
  if (IPV4.test(text)) return 4;
  // The URL standard's IPv6 parser takes nothing but what the RFC has.
  return /^[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`) ? 6 : undefined;
}
