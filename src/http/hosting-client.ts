import type { Hosting } from '../broker/hosting.ts';
import { COMPONENT_PATH, rightsFieldsSchema, rightsFromFields } from './component-wire.ts';
import { createSocketClient } from './socket-client.ts';

/**
 * The rights of components by the policies of a service that runs elsewhere on this machine, over its private socket.
 *
 * Its errors come back with the codes they had there, and `service_unreachable` where nothing answers, or something else.
 */
export function createHostingClient(socketPath: string): Hosting {
  const client = createSocketClient(socketPath);
  return {
    async rights({ component, digest }) {
      return rightsFromFields(await client.ask('POST', COMPONENT_PATH, { component, digest }, rightsFieldsSchema));
    },
  };
}
