import { isIP } from 'node:net';

export interface ListenAddress {
  /** An IP address without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 means one that the system picks. */
  readonly port: number;
}

/**
 * Reads `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`. Other names are refused: what they resolve to may change.
 * @returns `undefined` when the text is none of these
 */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+|localhost)):(\d{1,5})$/i.exec(text);
  if (match === null) return undefined;
  const [, ipv6, ipv4OrName, digits] = match;
  const host = ipv6 ?? (ipv4OrName?.toLowerCase() === 'localhost' ? '127.0.0.1' : (ipv4OrName ?? ''));
  const port = Number(digits);
  return isIP(host) === (ipv6 === undefined ? 4 : 6) && port <= 65_535 ? { host, port } : undefined;
}
