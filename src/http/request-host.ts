import type { IncomingMessage } from 'node:http';
import { SvidxError } from '../base/errors.ts';
import { isLoopbackHost } from '../base/http-url.ts';

export interface HostCheckOptions {
  /** In lower case, without ports. */
  readonly hosts: readonly string[];
  /** Whether loopback names are answered to as well. */
  readonly loopback: boolean;
}

/**
 * Makes the check that a request is for a host that the issuer answers to. A web page whose own name is made to lead here
 * (DNS rebinding), or a proxy that mixes tenants up, gets nothing; ports are not compared, since they prove nothing.
 *
 * Only the request's own target counts: anybody can write `X-Forwarded-Host`, and no answer needs it, since both documents
 * name the configured URLs. A proxy has to pass `Host` on, or `http.hosts` has to have the name that it sends instead.
 * @returns a function that gives what is wrong, if anything: `request_invalid` or `host_unknown`
 */
export function createHostCheck({
  hosts,
  loopback,
}: HostCheckOptions): (request: IncomingMessage) => SvidxError | undefined {
  const known = new Set(hosts);
  // Nearly every request has the same one, which is then not taken apart again.
  let lastGood: string | undefined;
  return (request) => {
    const host = onlyHost(request);
    if (host === undefined) return new SvidxError('request_invalid', 'expected one Host header');
    const authority = request.url?.startsWith('/') ? host : (authorityOf(request.url ?? '') ?? host);
    if (authority === lastGood) return undefined;
    const name = nameOf(authority);
    if (name === undefined) return new SvidxError('request_invalid', 'the host of the request is malformed');
    if (known.has(name) || (loopback && isLoopbackHost(name))) {
      lastGood = authority;
      return undefined;
    }
    return new SvidxError('host_unknown', 'the issuer does not answer to this host');
  };
}

/**
 * The Host header of a request.
 *
 * RFC 9112 section 3.2: a request without exactly one valid Host is refused; Node itself keeps the first of several.
 * @returns `undefined` where there is none, or more than one
 */
export function onlyHost({ headers, rawHeaders }: IncomingMessage): string | undefined {
  return countOf(rawHeaders, 'host') === 1 ? headers.host : undefined;
}

/** RFC 9112 section 3.2.2: of a request in absolute form the target's host counts, whatever Host says. */
function authorityOf(target: string): string | undefined {
  return /^https?:\/\/([^/?#]*)/i.exec(target)?.[1];
}

function nameOf(authority: string): string | undefined {
  return /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]*)?$/.exec(authority.toLowerCase())?.[1];
}

/**
 * How often a header is there, which Node's own view of them does not tell.
 * @param name in lower case
 */
export function countOf(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const header = rawHeaders[index];
    if (header?.length === name.length && header.toLowerCase() === name) count += 1;
  }
  return count;
}
