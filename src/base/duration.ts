import { z } from 'zod';

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const PATTERN = '^[1-9][0-9]{0,6}[smhd]$';

/**
 * A length of time written as a whole number and a unit: `30s`, `15m`, `1h`, `1d`.
 * @param limits the shortest and the longest that is accepted, in seconds, both included
 * @param byDefault what an absent value means, as text
 * @returns a schema that gives seconds
 */
export function durationSchema(limits: { readonly min: number; readonly max: number }, byDefault: string) {
  const range = `${formatDuration(limits.min)} to ${formatDuration(limits.max)}`;
  return z
    .string()
    .meta({ pattern: PATTERN })
    .default(byDefault)
    .transform((text, context) => {
      const seconds = parseDuration(text);
      if (seconds !== undefined && seconds >= limits.min && seconds <= limits.max) return seconds;
      context.addIssue({ code: 'custom', message: `expected a duration of ${range}, such as ${byDefault}` });
      return z.NEVER;
    });
}

/** @returns seconds, or `undefined` when the text is not a whole number above 0 followed by `s`, `m`, `h` or `d` */
export function parseDuration(text: string): number | undefined {
  const unit = UNIT_SECONDS[text.slice(-1)];
  return unit !== undefined && new RegExp(PATTERN).test(text) ? Number(text.slice(0, -1)) * unit : undefined;
}

/** Seconds in the largest unit that gives a whole number. */
export function formatDuration(seconds: number): string {
  const fitting = Object.entries(UNIT_SECONDS).filter(([, size]) => seconds % size === 0);
  const [unit, size] = fitting.at(-1) ?? ['s', 1];
  return `${seconds / size}${unit}`;
}
