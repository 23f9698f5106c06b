import type { RequestListener } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import { z } from 'zod';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { Logger } from '../base/logger.ts';
import type { Broker } from '../broker/broker.ts';
import { credentialFields } from '../credentials/wire.ts';
import { digestText } from '../policy/document.ts';
import { parseAudience } from '../spiffe/audience.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { sendError, sendJson } from './errors.ts';
import { readBody } from './read-body.ts';

/** The paths of the private socket's interface. */
export const BROKER_PATHS = { token: '/v1/token', credentials: '/v1/credentials' } as const;

/** Far above any request; a larger one is refused unread. */
const MAX_BODY_BYTES = 16 * 1024;

/** Names are only compared with those of a policy, so any text will do here; the bound is for the logs. */
const name = z.string().min(1).max(2048);

const caller = { component: name, digest: digestText.optional() };

const tokenRequest = z.strictObject({ ...caller, audience: z.array(name).min(1).max(100) });
const credentialsRequest = z.strictObject({ ...caller, grant: name });

/** A JWT-SVID in the clear, as the private socket and `svidx token --json` have it. */
export interface TokenFields {
  readonly spiffeId: string;
  readonly audience: readonly string[];
  /** ISO 8601 in UTC. */
  readonly expiresAt: string;
  readonly token: string;
}

export function tokenFields(svid: JwtSvid): TokenFields {
  return {
    spiffeId: svid.spiffeId.toString(),
    audience: svid.audience,
    expiresAt: new Date(svid.expiresAt).toISOString(),
    token: svid.token.reveal(),
  };
}

/**
 * The interface of the private socket, for hosts and tools on this machine: two POST requests with JSON bodies.
 *
 * - `/v1/token` `{component, audience: [...]}` gives `{spiffeId, audience, expiresAt, token}`
 * - `/v1/credentials` `{component, grant}` gives the credential's fields
 *
 * A host that runs the component's bytes itself adds their `digest`, which the policy may pin.
 */
export function createBrokerApp({ broker, logger }: { broker: Broker; logger: Logger }): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');

  app.post(BROKER_PATHS.token, async (request, response) => {
    const { component, digest, audience } = await parse(tokenRequest, request);
    const wanted = parseAudience(audience);
    if (wanted === undefined) throw new SvidxError('request_invalid', 'audience: expected at least one');
    sendJson(response, 200, tokenFields(await broker.identity({ component, digest }, wanted)));
  });

  app.post(BROKER_PATHS.credentials, async (request, response) => {
    const { component, digest, grant } = await parse(credentialsRequest, request);
    sendJson(response, 200, credentialFields(await broker.credentials({ component, digest }, grant)));
  });

  app.all(Object.values(BROKER_PATHS), (_request, response) => {
    response.setHeader('Allow', 'POST');
    throw new SvidxError('method_not_allowed', 'this path answers POST');
  });

  app.use(() => {
    throw new SvidxError('not_found', 'there is nothing at this path');
  });

  // Express knows an error handler by its four parameters.
  app.use((thrown: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const error = toSvidxError(thrown);
    if (error.code === 'internal_error') logger.error({ error }, 'a request failed');
    if (response.headersSent) response.destroy();
    else sendError(response, error);
  });
  return app;
}

async function parse<S extends z.ZodType>(schema: S, request: Request): Promise<z.output<S>> {
  if (!request.is('application/json')) throw new SvidxError('request_invalid', 'expected a body of application/json');
  const result = schema.safeParse(await readJson(request));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue?.path.join('.') || 'body';
  throw new SvidxError('request_invalid', `${key}: ${issue?.message ?? 'is malformed'}`);
}

/** The body as JSON: in UTF-8 to the letter (RFC 8259 section 8.1), so that no two names are read as one. */
async function readJson(request: Request): Promise<unknown> {
  const body = await readBody(request, MAX_BODY_BYTES).catch((cause: unknown) => {
    throw new SvidxError('request_invalid', 'the body did not arrive', { cause });
  });
  if (body === undefined) throw new SvidxError('request_too_large', `the body is over ${MAX_BODY_BYTES} bytes`);
  const json = parseJson(body);
  if (json === undefined) throw new SvidxError('request_invalid', 'the body cannot be read as JSON');
  return json;
}
