import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { SvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { digestText } from '../policy/document.ts';
import { readBody } from './read-body.ts';

/** Far above any request; a larger one is refused unread. */
const MAX_BODY_BYTES = 16 * 1024;

/** Names are only compared with those of a policy, so any text will do here; the bound is for the logs. */
export const nameText = z.string().min(1).max(2048);

/** On whose behalf a host asks at the private socket. */
export const callerFields = { component: nameText, digest: digestText.optional() };

/**
 * The body of a request to the private socket.
 * @throws SvidxError `request_invalid` naming the key, or `request_too_large`
 */
export async function readJsonRequest<S extends z.ZodType>(schema: S, request: IncomingMessage): Promise<z.output<S>> {
  const result = schema.safeParse(await readJson(request));
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
