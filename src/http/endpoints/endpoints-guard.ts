import type { IncomingMessage } from 'node:http';
import { SvidxError } from '../../base/errors.ts';
import { isLoopbackHost } from '../../base/http-url.ts';
import { onlyHost } from '../request-host.ts';
import { tooLarge } from '../too-large.ts';

/**
 * What no SDK sends and others do: browsers on behalf of a page (`Origin`, Fetch Metadata; not `Sec-Fetch-Mode`, which Node's
 * own `fetch` sends), and proxies on behalf of who knows whom, also one that was talked into it (as AWS IMDSv2 does).
 */
const TELLTALE_HEADERS = ['origin', 'sec-fetch-site', 'x-forwarded-for', 'x-forwarded-host', 'forwarded', 'via'];

export interface EndpointsGuardOptions {
  /** Our own host and port, which the URLs that we hand out have. */
  readonly authority: string;
  /** Whether a body is for somebody else to look at; else there must be none. */
  readonly readsBody: boolean;
  /**
   * Whether the way here may lead over a forwarder on the client's own machine: SDKs show no certificate, so something there
   * does it for them, and they ask at a loopback address. A name that was made to lead there is refused as any other.
   */
  readonly viaLoopback: boolean;
}

/**
 * Makes the check of requests to the endpoints for SDKs, and of those of remote hosts, whatever they ask for and before any
 * secret is looked at: they come straight from a program that was given our address.
 * @returns a function that gives what is wrong, if anything: `request_invalid`, `request_too_large` or `host_unknown`
 */
export function createEndpointsGuard({
  authority,
  readsBody,
  viaLoopback,
}: EndpointsGuardOptions): (request: IncomingMessage) => SvidxError | undefined {
  return (request) => {
    const problem = tooLarge(request, { readsBody });
    if (problem !== undefined) return problem;
    const host = onlyHost(request);
    if (host === undefined) return new SvidxError('request_invalid', 'expected one Host header');
    // A name that was made to lead here (DNS rebinding) is not ours, and neither is another port on this machine.
    if (host !== authority && !(viaLoopback && isLoopbackAuthority(host))) {
      return new SvidxError('host_unknown', 'this is not the host that the request is for');
    }
    if (!request.url?.startsWith('/')) return new SvidxError('request_invalid', 'expected a path, not a whole URL');
    const telltale = TELLTALE_HEADERS.find((name) => request.headers[name] !== undefined);
    if (telltale === undefined) return undefined;
    return new SvidxError('request_invalid', `requests of browsers and proxies are refused: ${telltale}`);
  };
}

function isLoopbackAuthority(host: string): boolean {
  return isLoopbackHost(/^(.*?)(?::\d+)?$/.exec(host)?.[1] ?? '');
}
