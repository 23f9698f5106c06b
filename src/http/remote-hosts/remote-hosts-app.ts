import type { IncomingMessage, RequestListener } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { SvidxError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type AuditFields, createAudit } from '../../broker/audit.ts';
import type { Broker } from '../../broker/broker.ts';
import type { Hosting } from '../../broker/hosting.ts';
import type { SessionBroker } from '../../broker/session-broker.ts';
import type { Sessions } from '../../broker/sessions.ts';
import type { X509BundleSource } from '../../identity/source.ts';
import type { RemoteHost } from '../../policy/evaluate.ts';
import { createBrokerApp } from '../broker-app.ts';
import { createComponentApp } from '../component-app.ts';
import { createEndpointsApp } from '../endpoints/endpoints-app.ts';
import { createEndpointsGuard } from '../endpoints/endpoints-guard.ts';
import { sendFailure } from '../errors.ts';
import { createSessionsApp } from '../sessions-app.ts';
import { createHostAuthentication } from './host-authentication.ts';

export interface RemoteHostsAppOptions {
  /** Who may ask, each SPIFFE ID once. */
  readonly allow: readonly RemoteHost[];
  readonly bundles: Pick<X509BundleSource, 'get' | 'all'>;
  readonly broker: Broker;
  readonly hosting: Hosting;
  readonly sessions: Sessions;
  readonly sessionBroker: SessionBroker;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where hosts reach it: `https://host:port`. */
  readonly url: string;
  /** What one session may ask in a second, and at once. */
  readonly requestsPerSecond: number;
  /** How many sessions there may be. */
  readonly maxSessions: number;
}

/** What the requests that name a component begin with; all others are those of SDKs, in a session. */
const NAMING_A_COMPONENT = '/v1/';

/**
 * What hosts on other machines ask: tokens, credentials and sessions for the components that each may name, and the endpoints
 * for SDKs in its own sessions. Who asks is what its X509-SVID says, on a listener with client certificates.
 *
 * A request is refused before it is looked at where its host has not proved who it is, or is not listed; the connection ends
 * with that answer.
 */
export function createRemoteHostsApp(options: RemoteHostsAppOptions): RequestListener {
  const { allow, logger, url } = options;
  const audit = createAudit(options);
  const authenticate = createHostAuthentication(options);
  const guard = createEndpointsGuard({ authority: new URL(url).host, readsBody: true, viaLoopback: true });
  const apps = new Map(allow.map((host) => [host.spiffeId.toString(), createHostApp(host, options)]));

  function appFor({ socket }: IncomingMessage, fields: AuditFields): RequestListener {
    const spiffeId = authenticate(socket).spiffeId.toString();
    fields.host = spiffeId;
    const app = apps.get(spiffeId);
    if (app !== undefined) return app;
    throw new SvidxError('host_denied', `the host ${spiffeId} is not among those that may ask here`);
  }

  return (request, response) => {
    let app: RequestListener;
    const fields: AuditFields = {};
    try {
      app = appFor(request, fields);
    } catch (thrown) {
      response.setHeader('Connection', 'close');
      audit
        .record('host.authenticate', fields, () => Promise.reject(thrown))
        .catch((error: unknown) => sendFailure(response, error, logger));
      return;
    }
    const problem = guard(request);
    if (problem === undefined) app(request, response);
    else sendFailure(response, problem, logger);
  };
}

/** All that one host may ask. */
function createHostApp(host: RemoteHost, options: RemoteHostsAppOptions): RequestListener {
  const { broker, hosting, sessions, sessionBroker, logger, url: endpoint } = options;
  const forComponents = createSessionsApp(
    { sessions, logger, endpoint, host },
    createComponentApp({ hosting, logger, host }, createBrokerApp({ broker, logger, host })),
  );
  const forSdks = createEndpointsApp({ ...options, broker: sessionBroker, host });
  return (request, response) => {
    const app = request.url?.startsWith(NAMING_A_COMPONENT) ? forComponents : forSdks;
    app(request, response);
  };
}
