import { hostsOf, type Issuer } from '../../src/config/issuer.ts';
import type { ListenersConfig } from '../../src/config/listeners.ts';

/** What a configuration that says nothing of its listeners comes to, but for the port, which the system picks. */
export function loopbackListeners(issuer: Issuer): ListenersConfig {
  return {
    listen: { host: '127.0.0.1', port: 0 },
    hosts: hostsOf(issuer),
    tls: undefined,
    requestsPerSecond: undefined,
    trustedProxies: [],
    healthListen: undefined,
  };
}
