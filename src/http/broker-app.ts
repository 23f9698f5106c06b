import type { IncomingMessage, RequestListener } from 'node:http';
import { z } from 'zod';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { Logger } from '../base/logger.ts';
import type { Broker } from '../broker/broker.ts';
import { credentialFields } from '../credentials/wire.ts';
import { digestText } from '../policy/document.ts';
import { parseAudience } from '../spiffe/audience.ts';
import { BROKER_PATHS, tokenFields } from './broker-wire.ts';
import { sendError, sendJson } from './errors.ts';
import { readBody } from './read-body.ts';

/** Far above any request; a larger one is refused unread. */
const MAX_BODY_BYTES = 16 * 1024;

/** Names are only compared with those of a policy, so any text will do here; the bound is for the logs. */
const name = z.string().min(1).max(2048);

const caller = { component: name, digest: digestText.optional() };

const tokenRequest = z.strictObject({ ...caller, audience: z.array(name).min(1).max(100) });
const credentialsRequest = z.strictObject({ ...caller, grant: name });

/**
 * The interface of the private socket, for hosts and tools on this machine: two POST requests with JSON bodies.
 *
 * - `/v1/token` `{component, audience: [...]}` gives `{spiffeId, audience, expiresAt, token}`
 * - `/v1/credentials` `{component, grant}` gives the credential's fields
 *
 * A host that runs the component's bytes itself adds their `digest`, which the policy may pin.
 */
export function createBrokerApp({ broker, logger }: { broker: Broker; logger: Logger }): RequestListener {
  const routes = new Map<string, (request: IncomingMessage) => Promise<object>>([
    [
      BROKER_PATHS.token,
      async (request) => {
        const { component, digest, audience } = parse(tokenRequest, await readJson(request));
        const wanted = parseAudience(audience);
        if (wanted === undefined) throw new SvidxError('request_invalid', 'audience: expected at least one');
        return tokenFields(await broker.identity({ component, digest }, wanted));
      },
    ],
    [
      BROKER_PATHS.credentials,
      async (request) => {
        const { component, digest, grant } = parse(credentialsRequest, await readJson(request));
        return credentialFields(await broker.credentials({ component, digest }, grant));
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
      const error = toSvidxError(thrown);
      if (error.code === 'internal_error') logger.error({ error }, 'a request failed');
      if (response.headersSent) response.destroy();
      else sendError(response, error);
    }
  };
}

function parse<S extends z.ZodType>(schema: S, json: unknown): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue?.path.join('.') || 'body';
  throw new SvidxError('request_invalid', `${key}: ${issue?.message ?? 'is malformed'}`);
}

/** The body as JSON: in UTF-8 to the letter (RFC 8259 section 8.1), so that no two names are read as one. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new SvidxError('request_invalid', 'expected a body of application/json');
  }
  const body = await readBody(request, MAX_BODY_BYTES).catch((cause: unknown) => {
    throw new SvidxError('request_invalid', 'the body did not arrive', { cause });
  });
  if (body === undefined) throw new SvidxError('request_too_large', `the body is over ${MAX_BODY_BYTES} bytes`);
  const json = parseJson(body);
  if (json === undefined) throw new SvidxError('request_invalid', 'the body cannot be read as JSON');
  return json;
}
