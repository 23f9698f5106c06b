import type { IncomingMessage, RequestListener } from 'node:http';
import { z } from 'zod';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Broker } from '../broker/broker.ts';
import { credentialFields } from '../credentials/wire.ts';
import type { RemoteHost } from '../policy/evaluate.ts';
import { parseAudience } from '../spiffe/audience.ts';
import { BROKER_PATHS, tokenFields } from './broker-wire.ts';
import { sendFailure, sendJson } from './errors.ts';
import { callerFields, nameText, readJsonRequest } from './json-request.ts';

const tokenRequest = z.strictObject({ ...callerFields, audience: z.array(nameText).min(1).max(100) });
const credentialsRequest = z.strictObject({ ...callerFields, grant: nameText });

export interface BrokerAppOptions {
  readonly broker: Broker;
  readonly logger: Logger;
  /** The remote host that asks; `undefined` for whoever may open the private socket. */
  readonly host?: RemoteHost | undefined;
}

/**
 * What hosts ask, those on this machine at the private socket, others at a listener of their own: three POST requests with JSON
 * bodies.
 *
 * - `/v1/token` `{component, audience: [...]}` gives `{spiffeId, audience, expiresAt, token}`
 * - `/v1/credentials` `{component, grant}` gives the credential's fields
 * - `/v1/injected` `{component, grant}` gives those of a grant with `inject`, for the component's host to add to its requests
 *
 * A host that runs the component's bytes itself adds their `digest`, which the policy may pin.
 */
export function createBrokerApp({ broker, logger, host }: BrokerAppOptions): RequestListener {
  const routes = new Map<string, (request: IncomingMessage) => Promise<object>>([
    [
      BROKER_PATHS.token,
      async (request) => {
        const { component, digest, audience } = await readJsonRequest(tokenRequest, request);
        const wanted = parseAudience(audience);
        if (wanted === undefined) throw new SvidxError('request_invalid', 'audience: expected at least one');
        return tokenFields(await broker.identity({ component, digest, host }, wanted));
      },
    ],
    [
      BROKER_PATHS.credentials,
      async (request) => {
        const { component, digest, grant } = await readJsonRequest(credentialsRequest, request);
        return credentialFields(await broker.credentials({ component, digest, host }, grant));
      },
    ],
    [
      BROKER_PATHS.injected,
      async (request) => {
        const { component, digest, grant } = await readJsonRequest(credentialsRequest, request);
        return credentialFields(await broker.injected({ component, digest, host }, grant));
      },
    ],
  ]);

  return async (request, response) => {
    try {
      const route = routes.get(request.url?.split('?', 1)[0] ?? '');
      if (route === undefined) throw new SvidxError('not_found', 'there is nothing at this path');
      if (request.method !== 'POST') {
        response.setHeader('Allow', 'POST');
        throw new SvidxError('method_not_allowed', 'this path answers POST');
      }
      sendJson(response, 200, await route(request));
    } catch (thrown) {
      sendFailure(response, thrown, logger);
    }
  };
}
