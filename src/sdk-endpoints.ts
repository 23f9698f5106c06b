import type { RequestListener } from 'node:http';
import type { Clock } from './base/clock.ts';
import type { Logger } from './base/logger.ts';
import type { Broker } from './broker/broker.ts';
import { createSessionBroker, type SessionBroker } from './broker/session-broker.ts';
import { createSessions, type Sessions } from './broker/sessions.ts';
import type { EndpointsConfig } from './config/config.ts';
import { createEndpointsApp } from './http/endpoints/endpoints-app.ts';
import { listenOnTcp } from './http/listener.ts';
import { createSessionsApp } from './http/sessions-app.ts';
import type { PolicySet } from './policy/policy-set.ts';

export interface SdkEndpointsOptions {
  /** `undefined`: there are sessions, but no SDK can ask. */
  readonly config: EndpointsConfig | undefined;
  readonly broker: Broker;
  /** The policy set in force now. */
  policies(): PolicySet;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SdkEndpoints {
  /** Where SDKs ask; `undefined` where they cannot. */
  readonly url: string | undefined;
  readonly sessions: Sessions;
  readonly sessionBroker: SessionBroker;
  /** What opens and ends sessions on the private socket, in front of what answers everything else there. */
  sessionsApp(next: RequestListener): RequestListener;
}

/** At about a kilobyte each: far more programs than one machine runs. */
export const MAX_SESSIONS = 10_000;

/**
 * The sessions, and the endpoints that SDKs ask in them.
 * @param closers gets what is to be let go of at the end
 * @throws SvidxError `config_invalid` when the address cannot be had
 */
export async function serveSdkEndpoints(
  { config, broker, policies, clock, logger }: SdkEndpointsOptions,
  closers: (() => Promise<void> | void)[],
): Promise<SdkEndpoints> {
  const sessions = createSessions({ policies, clock, logger, maxSessions: MAX_SESSIONS });
  closers.push(sessions.close);
  const sessionBroker = createSessionBroker({ broker, sessions, policies, clock, logger });
  const listener = config && (await listenOnTcp(config.listen, clock));
  if (config !== undefined && listener !== undefined) {
    closers.push(listener.close);
    listener.handle(
      createEndpointsApp({
        sessions,
        broker: sessionBroker,
        clock,
        logger,
        url: listener.url,
        requestsPerSecond: config.requestsPerSecond,
        maxSessions: MAX_SESSIONS,
      }),
    );
  }
  const endpoint = listener?.url ?? null;
  return {
    url: listener?.url,
    sessions,
    sessionBroker,
    sessionsApp: (next) => createSessionsApp({ sessions, logger, endpoint }, next),
  };
}
