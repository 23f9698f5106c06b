import { type DestinationStream, pino } from 'pino';
import { SvidxError } from './errors.ts';
import { scrub } from './secret.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What this project needs of a logger: one object of fields and one constant sentence a line. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * A logger that writes one JSON object a line.
 *
 * An error is written as its code, message and detail, with the same of its causes. Nothing else of an error is: what a
 * library hangs on its errors (requests, responses, tokens) stays out of the log.
 */
export function createLogger(options: { level: LogLevel; destination: DestinationStream }): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
    },
    options.destination,
  );
}

/** An error as the fields a log line may hold. */
export function describeError(error: unknown): object {
  if (!(error instanceof SvidxError)) {
    const { name, message } = error instanceof Error ? error : { name: typeof error, message: 'not an error object' };
    return { code: 'internal_error', message: scrub(`${name}: ${message}`) };
  }
  return {
    code: error.code,
    message: scrub(error.message),
    ...(error.detail === undefined ? {} : { detail: scrub(error.detail) }),
    ...(error.code === 'internal_error' && error.cause instanceof Error ? { at: stackFrames(error.cause) } : {}),
  };
}

/** Where an error was thrown: the frames of its stack, without its message. */
function stackFrames(error: Error): string[] {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return frames.slice(0, 8).map((line) => line.trim());
}
