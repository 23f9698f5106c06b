/** A unix socket by its absolute path. */
export interface UnixAddress {
  readonly path: string;
}

/**
 * Reads `unix:///path` or `unix:/path` (SPIFFE Workload Endpoint section 4, which the admin socket's address follows).
 * @returns the address, or what is wrong with the text
 */
export function parseUnixAddress(text: string): UnixAddress | { readonly problem: string } {
  const path = /^unix:(?:\/\/)?(\/[^?#\p{Cc}]*)$/u.exec(text)?.[1];
  if (path === undefined || path.endsWith('/') || path.startsWith('//')) {
    return { problem: 'expected the address of a unix socket, unix:///path' };
  }
  return { path };
}
