import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressRange } from '../base/address-range.ts';
import { clientNetwork } from '../base/client-network.ts';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { createRateLimiter } from '../base/rate-limiter.ts';
import { createClientAddress } from './client-address.ts';
import { sendError } from './errors.ts';
import { createHostCheck, type HostCheckOptions } from './request-host.ts';
import { tooLarge } from './too-large.ts';

export interface IssuerGuardOptions extends HostCheckOptions {
  readonly clock: Clock;
  /** What one client may ask; `undefined` for no limit. */
  readonly requestsPerSecond: number | undefined;
  readonly trustedProxies: readonly AddressRange[];
}

/** What is not one of the issuer's documents but shares their listener: it reads bodies, and words errors in its own way. */
export interface GuardedEndpoint {
  sendError(response: ServerResponse, error: SvidxError): void;
}

/** How many clients are told apart, at about 150 bytes each. */
const MAX_CLIENTS = 16_384;

/**
 * Answers the requests that the issuer refuses whatever they ask for: too many from one client, with a body, for another
 * host. A request costs its client a token also when it is refused for another reason.
 * @returns a function that tells whether it has answered, for the endpoint that the request is for, if it is for one
 */
export function createIssuerGuard(
  options: IssuerGuardOptions,
): (request: IncomingMessage, response: ServerResponse, endpoint?: GuardedEndpoint) => boolean {
  const { clock, requestsPerSecond } = options;
  const clientAddress = createClientAddress(options.trustedProxies);
  const wrongHost = createHostCheck(options);
  const limiter =
    requestsPerSecond === undefined
      ? undefined
      : createRateLimiter({ perSecond: requestsPerSecond, maxClients: MAX_CLIENTS });

  return (request, response, endpoint) => {
    const answer = endpoint?.sendError ?? sendError;
    const waitMs = limiter?.take(clientNetwork(clientAddress(request)), clock.now()) ?? 0;
    if (waitMs > 0) {
      response.setHeader('Retry-After', Math.ceil(waitMs / 1000));
      answer(response, new SvidxError('rate_limited', 'too many requests from this client'));
      return true;
    }
    const problem = tooLarge(request, { readsBody: endpoint !== undefined }) ?? wrongHost(request);
    if (problem === undefined) return false;
    // What is left of the request is not read: it could be of any length.
    if (problem.code === 'request_too_large') response.setHeader('Connection', 'close');
    answer(response, problem);
    return true;
  };
}
