import { SvidxError } from '../base/errors.ts';
import type { Broker } from '../broker/broker.ts';
import { createBrokerClient } from '../http/broker-client.ts';
import { createSessionClient, type SessionClient } from '../http/session-client.ts';
import { socketPath } from '../http/socket-client.ts';

/**
 * The broker behind the private socket at this path; `unix:PATH`, as the ready line prints it, works as well.
 * @throws SvidxError `usage_invalid` when nothing is left of the path: an HTTP client would go to a TCP port instead
 */
export function brokerAt(socket: string): Broker {
  return createBrokerClient(brokerSocketPath(socket));
}

/** The sessions behind the private socket at this path; the same goes for it. */
export function sessionsAt(socket: string): SessionClient {
  return createSessionClient(brokerSocketPath(socket));
}

/** The path itself. */
export function brokerSocketPath(socket: string): string {
  const path = socketPath(socket);
  if (path === '') throw new SvidxError('usage_invalid', '--socket: expected the path of a socket');
  return path;
}
