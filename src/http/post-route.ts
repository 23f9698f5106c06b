import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { sendFailure } from './errors.ts';

/**
 * A path that answers POST alone, in front of others.
 * @param answer what it answers; what this throws becomes the answer of its error
 * @param next answers all other paths
 */
export function postRoute(
  path: string,
  logger: Logger,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  next: RequestListener,
): RequestListener {
  return async (request, response) => {
    if (request.url?.split('?', 1)[0] !== path) {
      next(request, response);
      return;
    }
    try {
      if (request.method !== 'POST') {
        response.setHeader('Allow', 'POST');
        throw new SvidxError('method_not_allowed', 'this path answers POST');
      }
      await answer(request, response);
    } catch (thrown) {
      sendFailure(response, thrown, logger);
    }
  };
}
