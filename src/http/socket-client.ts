import { type IncomingMessage, request } from 'node:http';
import { z } from 'zod';
import { type ErrorCode, isErrorCode, SvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { ErrorBody } from './errors.ts';
import { readBody } from './read-body.ts';

const errorAnswer = z.object({
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string(),
}) satisfies z.ZodType<ErrorBody>;

/** A little more than the service itself allows one request. Milliseconds. */
const TIMEOUT_MS = 40_000;

/** Far above any token or credential. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** Asks a service at its private socket. */
export interface SocketClient {
  /**
   * One question, as JSON where it has a body.
   * @param answer what a good answer looks like
   * @throws SvidxError with the code it had there; `service_unreachable` where nothing of ours answers
   */
  ask<S extends z.ZodType>(method: string, path: string, body: object | undefined, answer: S): Promise<z.output<S>>;
  /** For an answer that only looked good. */
  strange(): SvidxError;
}

export function createSocketClient(socketPath: string): SocketClient {
  function strange(): SvidxError {
    return unreachable(socketPath, 'its answer is not the one of a svid-exchange service');
  }

  return {
    strange,
    async ask(method, path, body, answer) {
      const { status, text } = await send(socketPath, method, path, body === undefined ? '' : JSON.stringify(body));
      const json = parseJson(text);
      if (status !== 200) {
        const error = errorAnswer.safeParse(json);
        if (error.success) throw new SvidxError(error.data.code, error.data.message);
        throw unreachable(socketPath, `it answered with status ${status}`);
      }
      const result = answer.safeParse(json);
      if (!result.success) throw strange();
      return result.data;
    },
  };
}

function send(
  socketPath: string,
  method: string,
  path: string,
  body: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        path,
        method,
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
