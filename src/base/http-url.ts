/**
 * Reads a URL that is written as it should be: `https://host` or `http://host`, and what follows.
 *
 * The URL standard mends much before it parses: it trims, drops line ends, turns `\` into `/` and puts in missing slashes.
 * What others compare or join byte by byte must not need that, nor hold credentials.
 * @returns `undefined` when the text is something else
 */
export function parseHttpUrl(text: string): URL | undefined {
  if (!/^https?:\/\/[^/@?#]+(?:[/?#]|$)/.test(text) || /[\s\\\p{Cc}]/u.test(text)) return undefined;
  return URL.canParse(text) ? new URL(text) : undefined;
}

/**
 * Reads the name of a host as a URL has it: a DNS name in ASCII, an IPv4 address, or an IPv6 address in brackets; no port.
 * @returns the name in lower case, or `undefined` when the text is something else
 */
export function parseHostName(text: string): string | undefined {
  if (!/^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/i.test(text)) return undefined;
  const url = `https://${text}`;
  const name = URL.canParse(url) ? new URL(url).hostname : undefined;
  return name === text.toLowerCase() ? name : undefined;
}

/** True for `localhost`, 127.0.0.0/8 and ::1, with or without brackets. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost' || bare === '::1') return true;
  return /^127(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/.test(bare);
}

/** True for an `https` URL, or an `http` one on a loopback address, without credentials, query and fragment. */
export function isSecureUrl(text: string): boolean {
  const url = parseHttpUrl(text);
  if (url === undefined || /[?#]/.test(text)) return false;
  return url.protocol === 'https:' || isLoopbackHost(url.hostname);
}

/** The same of nothing but a host and perhaps a port: no path, not even a slash. */
export function isSecureOrigin(text: string): boolean {
  return isSecureUrl(text) && /^https?:\/\/[^/]+$/.test(text);
}
