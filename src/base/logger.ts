import { type DestinationStream, pino } from 'pino';
import { SvidxError } from './errors.ts';
import { scrub } from './secret.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What this project needs of a logger: one object of fields and one constant sentence a line. An error is a field. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * A logger that writes one JSON object a line.
 *
 * An error, under whatever name it is a field, is written as its code, message and detail; of an `internal_error` also
 * where it was thrown. Nothing else of an error is: what a library hangs on its errors (requests, responses, tokens)
 * stays out of the log.
 */
export function createLogger(options: { level: LogLevel; destination: DestinationStream }): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: createTimestamp(),
      // An error handed over in place of the fields becomes this field. Pino's own serializer would write all of it.
      errorKey: 'error',
      serializers: { err: (described: unknown) => described },
      formatters: { level: (label) => ({ level: label }), log: describeErrors },
    },
    options.destination,
  );
}

/** The time as pino wants it, a part of the line's JSON; written out once for all lines of a millisecond. */
function createTimestamp(): () => string {
  let writtenAt = 0;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== writtenAt) {
      writtenAt = now;
      text = `,"time":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
}

/** The field `error` may hold anything that was thrown; others are described where they are errors. */
function describeErrors(fields: Record<string, unknown>): Record<string, unknown> {
  const thrown = Object.keys(fields).filter((name) => fields[name] instanceof Error || name === 'error');
  if (thrown.length === 0) return fields;
  const described = thrown
    .filter((name) => fields[name] !== undefined)
    .map((name) => [name, describeError(fields[name])]);
  return { ...fields, ...Object.fromEntries(described) };
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

/** Where an error was thrown: the frames of its stack, without its message, whose lines may look like frames too. */
function stackFrames(error: Error): string[] {
  const frames = (error.stack ?? '').replace(error.message, '').split('\n');
  return frames
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => scrub(line.trim()));
}
