import { type IncomingMessage, request } from 'node:http';
import { z } from 'zod';
import { type ErrorCode, isErrorCode, SvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { Broker } from '../broker/broker.ts';
import { credentialFieldsSchema, credentialsFromFields } from '../credentials/wire.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../spiffe/jwt-svid.ts';
import { BROKER_PATHS, type TokenFields } from './broker-wire.ts';
import type { ErrorBody } from './errors.ts';
import { readBody } from './read-body.ts';

const tokenAnswer = z.object({ token: z.string() }) satisfies z.ZodType<Pick<TokenFields, 'token'>>;

const errorAnswer = z.object({
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string(),
}) satisfies z.ZodType<ErrorBody>;

/** A little more than the service itself allows one request. Milliseconds. */
const TIMEOUT_MS = 40_000;

/** Far above any token or credential. */
const MAX_ANSWER_BYTES = 256 * 1024;

/**
 * The broker of a service that runs elsewhere on this machine, over its private socket.
 *
 * Its errors come back with the codes they had there, and `service_unreachable` where nothing answers.
 */
export function createBrokerClient(socketPath: string): Broker {
  async function ask<S extends z.ZodType>(path: string, body: object, answer: S): Promise<z.output<S>> {
    const { status, text } = await post(socketPath, path, JSON.stringify(body));
    const json = parseJson(text);
    if (status !== 200) {
      const error = errorAnswer.safeParse(json);
      if (error.success) throw new SvidxError(error.data.code, error.data.message);
      throw unreachable(socketPath, `it answered with status ${status}`);
    }
    const result = answer.safeParse(json);
    if (!result.success) throw strange();
    return result.data;
  }

  function readSvid(token: string): JwtSvid {
    try {
      return parseJwtSvidUnverified(token);
    } catch {
      throw strange();
    }
  }

  function strange(): SvidxError {
    return unreachable(socketPath, 'its answer is not the one of a svid-exchange service');
  }

  return {
    async identity({ component, digest }, audience) {
      const { token } = await ask(BROKER_PATHS.token, { component, digest, audience }, tokenAnswer);
      return readSvid(token);
    },
    async credentials({ component, digest }, grant) {
      const fields = await ask(BROKER_PATHS.credentials, { component, digest, grant }, credentialFieldsSchema);
      return credentialsFromFields(fields);
    },
  };
}

function post(socketPath: string, path: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        path,
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      },
      (response) => readAnswer(response, socketPath).then(resolve, reject),
    );
    outgoing.on('error', (error) => {
      reject(unreachable(socketPath, 'code' in error ? String(error.code) : error.message));
    });
    outgoing.end(body);
  });
}

async function readAnswer(response: IncomingMessage, socketPath: string): Promise<{ status: number; text: string }> {
  const body = await readBody(response, MAX_ANSWER_BYTES).catch(() => {
    throw unreachable(socketPath, 'its answer broke off');
  });
  if (body === undefined) {
    response.destroy();
    throw unreachable(socketPath, `its answer is over ${MAX_ANSWER_BYTES} bytes`);
  }
  return { status: response.statusCode ?? 0, text: body.toString('utf8') };
}

function unreachable(socketPath: string, reason: string): SvidxError {
  return new SvidxError('service_unreachable', `no svid-exchange service answers at ${socketPath} (${reason})`);
}
