import { createLogger, type Logger } from '../../src/base/logger.ts';

/** A logger whose lines a test can read. */
export interface MemoryLog {
  readonly logger: Logger;
  /** Each line as it would be written. */
  readonly lines: string[];
  /** The lines as objects. */
  entries(): Record<string, unknown>[];
  /** The audit events, in order. */
  audits(): Record<string, unknown>[];
}

export function createMemoryLog(): MemoryLog {
  const lines: string[] = [];
  const logger = createLogger({ level: 'trace', destination: { write: (line: string) => void lines.push(line) } });
  const entries = (): Record<string, unknown>[] => lines.map((line) => JSON.parse(line));
  return {
    logger,
    lines,
    entries,
    audits: () => entries().flatMap((entry) => (isObject(entry['audit']) ? [entry['audit']] : [])),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
