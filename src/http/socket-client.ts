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

/** The path of a socket that is written as the ready line prints it, `unix:PATH`, or as it is. */
export function socketPath(text: string): string {
  return text.replace(/^unix:(\/\/)?/, '');
}

/** A little more than the service itself allows one request. Milliseconds. */
const TIMEOUT_MS = 40_000;

/** Far above any token or credential, and above what a policy of 256 KiB can say to a host. */
const MAX_ANSWER_BYTES = 2 * 1024 * 1024;

/** Asks a service at its private socket. */
export interface SocketClient {
  /**
   * One question, as JSON where it has a body.
   * @param answer what a good answer looks like
   * @throws SvidxError with the code it had there; `service_unreachable` where nothing of ours answers
   */
  ask<S extends z.ZodType>(method: string, path: string, body: object | undefined, answer: S): Promise<z.output<S>>;
  /**
   * A request whose answer is one line, followed by nothing for as long as the connection is open.
   * @throws SvidxError as `ask`
   */
  hold<S extends z.ZodType>(path: string, body: object, answer: S): Promise<Held<z.output<S>>>;
  /** For an answer that only looked good. */
  strange(): SvidxError;
}

/** An answer that goes on. */
export interface Held<T> {
  readonly answer: T;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Ends the connection. May be called again. */
  release(): void;
}

export function createSocketClient(socketPath: string): SocketClient {
  function unreachable(reason: string): SvidxError {
    return new SvidxError('service_unreachable', `no svid-exchange service answers at ${socketPath} (${reason})`);
  }

  function strange(): SvidxError {
    return unreachable('its answer is not the one of a svid-exchange service');
  }

  /** @param timeout aborted when the answer must be there, or its head at least */
  function send(
    method: string,
    path: string,
    body: object | undefined,
    timeout: AbortSignal,
  ): Promise<IncomingMessage> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath, path, method, headers, signal: timeout }, resolve);
      outgoing.on('error', (error) => {
        reject(unreachable('code' in error ? String(error.code) : error.message));
      });
      outgoing.end(text);
    });
  }

  async function readAnswer(response: IncomingMessage): Promise<string> {
    const body = await readBody(response, MAX_ANSWER_BYTES).catch(() => {
      throw unreachable('its answer broke off');
    });
    if (body === undefined) {
      response.destroy();
      throw unreachable(`its answer is over ${MAX_ANSWER_BYTES} bytes`);
    }
    return body.toString('utf8');
  }

  function parse<S extends z.ZodType>(text: string, answer: S): z.output<S> {
    const result = answer.safeParse(parseJson(text));
    if (!result.success) throw strange();
    return result.data;
  }

  async function toRefusal(response: IncomingMessage): Promise<SvidxError> {
    const error = errorAnswer.safeParse(parseJson(await readAnswer(response)));
    if (error.success) return new SvidxError(error.data.code, error.data.message);
    return unreachable(`it answered with status ${response.statusCode}`);
  }

  return {
    strange,
    async ask(method, path, body, answer) {
      const response = await send(method, path, body, AbortSignal.timeout(TIMEOUT_MS));
      if (response.statusCode !== 200) throw await toRefusal(response);
      return parse(await readAnswer(response), answer);
    },
    async hold(path, body, answer) {
      const tooLate = new AbortController();
      const timer = setTimeout(() => tooLate.abort(), TIMEOUT_MS);
      try {
        const response = await send('POST', path, body, tooLate.signal);
        if (response.statusCode !== 200) throw await toRefusal(response);
        const ended = new Promise<void>((resolve) => response.once('close', resolve));
        // A service that is killed breaks it off, which is how it ends.
        response.on('error', () => {});
        const line = await firstLine(response);
        if (line === undefined) throw strange();
        return { answer: parse(line, answer), ended, release: () => void response.destroy() };
      } catch (error) {
        tooLate.abort();
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** What comes before the first line end; `undefined` where none comes. */
function firstLine(response: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      if (text.length <= MAX_ANSWER_BYTES) text += chunk;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
      else if (text.length > MAX_ANSWER_BYTES) resolve(undefined);
    });
    response.once('close', () => resolve(undefined));
  });
}
