import { formatDuration, parseDuration } from '../base/duration.ts';
import { SvidxError } from '../base/errors.ts';

/**
 * An option's duration in milliseconds.
 * @param limits in seconds, both included
 * @throws SvidxError `usage_invalid`
 */
export function durationOption(
  name: string,
  text: string,
  limits: { readonly min: number; readonly max: number },
): number {
  const seconds = parseDuration(text);
  if (seconds === undefined || seconds < limits.min || seconds > limits.max) {
    const range = `${formatDuration(limits.min)} to ${formatDuration(limits.max)}`;
    throw new SvidxError('usage_invalid', `${name}: expected a duration of ${range}, such as 30s`);
  }
  return seconds * 1000;
}
