import type { RequestListener } from 'node:http';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { createComponentRoutes, isPlainPath, type Routed } from './component-routes.ts';
import { sendError } from './errors.ts';
import { onlyHost } from './request-host.ts';

/**
 * Sends each request to the component whose route it is on. Paths are compared as they come: one that another reader might
 * take for another path is refused, whatever the routes are.
 */
export function createHostedApp(routes: readonly Routed<RequestListener>[]): RequestListener {
  const find = createComponentRoutes(routes);
  return (request, response) => {
    try {
      const host = onlyHost(request);
      if (host === undefined) throw new SvidxError('request_invalid', 'expected one Host header');
      const [path = ''] = (request.url ?? '').split('?', 1);
      if (!isPlainPath(path)) {
        throw new SvidxError('request_invalid', 'expected a path that can be read in one way only');
      }
      const listener = find(host, path);
      if (listener === undefined) throw new SvidxError('not_found', 'no component answers at this path');
      listener(request, response);
    } catch (thrown) {
      // What is left of the request is not read: it could be of any length.
      response.setHeader('Connection', 'close');
      sendError(response, toSvidxError(thrown));
    }
  };
}
