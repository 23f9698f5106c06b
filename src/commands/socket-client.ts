import type { Broker } from '../broker/broker.ts';
import { createBrokerClient } from '../http/broker-client.ts';

/** The broker behind the private socket at this path; `unix:PATH`, as the ready line prints it, works as well. */
export function brokerAt(socket: string): Broker {
  return createBrokerClient(socket.replace(/^unix:(\/\/)?/, ''));
}
