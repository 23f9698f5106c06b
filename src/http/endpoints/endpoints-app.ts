import type { IncomingMessage, RequestListener } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { SvidxError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { SessionBroker } from '../../broker/session-broker.ts';
import type { Sessions } from '../../broker/sessions.ts';
import type { RemoteHost } from '../../policy/evaluate.ts';
import { sendError, sendFailure, sendJson } from '../errors.ts';
import { countOf } from '../request-host.ts';
import { awsEndpoint } from './aws.ts';
import { azureEndpoint } from './azure.ts';
import { createEndpointsGuard } from './endpoints-guard.ts';
import { gcpEndpoint } from './gcp.ts';
import type { SdkEndpoint } from './sdk-endpoint.ts';
import { createSessionLimits } from './session-limits.ts';

export interface EndpointsAppOptions {
  readonly sessions: Sessions;
  readonly broker: SessionBroker;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where it is reached: `http://127.0.0.1:1234`. */
  readonly url: string;
  /** What one session may ask in a second, and at once. */
  readonly requestsPerSecond: number;
  /** How many sessions there may be. */
  readonly maxSessions: number;
  /** The remote host that asks, in its own sessions; `undefined` for programs on this machine, in those opened here. */
  readonly host?: RemoteHost | undefined;
}

/** A quarter of what the listener holds. Waiting costs little: many processes of one program may start at once. */
const MAX_UNDER_WAY = 1_024;

const ENDPOINTS: readonly SdkEndpoint[] = [awsEndpoint, azureEndpoint, gcpEndpoint];

/**
 * The endpoints that vendors' SDKs already speak, for programs that act for a component in a session. Which component
 * that is the secret alone says: no path, parameter or header names one.
 *
 * Never redirects, allows no other origin, reads no body.
 */
export function createEndpointsApp(options: EndpointsAppOptions): RequestListener {
  const { sessions, broker, logger, url, host } = options;
  const guard = createEndpointsGuard({
    authority: new URL(url).host,
    readsBody: false,
    viaLoopback: host !== undefined,
  });
  const limit = createSessionLimits({ ...options, maxUnderWay: MAX_UNDER_WAY });

  return async (request, response) => {
    const { url: target = '' } = request;
    const endpoint = ENDPOINTS.find(({ prefix }) => target.startsWith(prefix));
    try {
      const problem = guard(request);
      if (problem !== undefined) {
        // What is left of the request is not read: it could be of any length.
        if (problem.code === 'request_too_large') response.setHeader('Connection', 'close');
        throw problem;
      }
      if (endpoint === undefined) throw new SvidxError('not_found', 'there is nothing at this path');
      if (request.method !== 'GET') {
        response.setHeader('Allow', 'GET');
        throw new SvidxError('method_not_allowed', 'this path answers GET');
      }
      const session = sessions.authenticate(secretOf(endpoint, request), host);
      limit(session.id, response);
      const query = target.indexOf('?');
      const path = target.slice(endpoint.prefix.length, query === -1 ? undefined : query);
      sendJson(
        response,
        200,
        await endpoint.answer(broker, session, path, query === -1 ? undefined : target.slice(query + 1)),
      );
    } catch (thrown) {
      sendFailure(response, thrown, logger, endpoint?.sendError ?? sendError);
    }
  };
}

/** Of two headers it would be chance which one counts. */
function secretOf({ secretHeader, secretOf: read }: SdkEndpoint, { headers, rawHeaders }: IncomingMessage): string {
  const header = headers[secretHeader];
  const secret = typeof header === 'string' && countOf(rawHeaders, secretHeader) === 1 ? read(header) : undefined;
  if (secret !== undefined) return secret;
  throw new SvidxError('session_invalid', `expected the secret of a session in one header ${secretHeader}`);
}
