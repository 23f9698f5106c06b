import type { RequestListener } from 'node:http';
import { z } from 'zod';
import type { Logger } from '../base/logger.ts';
import type { Hosting } from '../broker/hosting.ts';
import type { RemoteHost } from '../policy/evaluate.ts';
import { COMPONENT_PATH, rightsFields } from './component-wire.ts';
import { sendJson } from './errors.ts';
import { callerFields, readJsonRequest } from './json-request.ts';
import { postRoute } from './post-route.ts';

export interface ComponentAppOptions {
  readonly hosting: Hosting;
  readonly logger: Logger;
  /** The remote host that asks; `undefined` for whoever may open the private socket. */
  readonly host?: RemoteHost | undefined;
}

const rightsRequest = z.strictObject(callerFields);

/**
 * A part of what hosts ask, at the private socket or a listener of their own: `POST /v1/component` `{component, digest?}` says to the host of a component what that may
 * do: `{identity, credentials, wasi, config, egress, injections}`.
 * @param next answers everything else
 */
export function createComponentApp(
  { hosting, logger, host }: ComponentAppOptions,
  next: RequestListener,
): RequestListener {
  return postRoute(
    COMPONENT_PATH,
    logger,
    async (request, response) => {
      const { component, digest } = await readJsonRequest(rightsRequest, request);
      sendJson(response, 200, rightsFields(await hosting.rights({ component, digest, host })));
    },
    next,
  );
}
