import { expect } from 'vitest';

/**
 * Fails the test when `text` holds one of the secrets or, for a token, one of its three parts, as they are or
 * percent-encoded.
 */
export function expectNoSecrets(text: string | readonly string[], secrets: readonly string[]): void {
  const whole = typeof text === 'string' ? text : text.join('\n');
  const found = secrets
    .flatMap((secret) => [secret, ...secret.split('.')])
    .flatMap((part) => [part, encodeURIComponent(part)])
    .filter((part) => part.length >= 8 && whole.includes(part));
  expect(found.map((part) => `${part.slice(0, 8)}...`)).toEqual([]);
}

/** Everything of an error that anybody may get to see: its message, its detail, and the same of its causes. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const detail = 'detail' in error ? String(error.detail) : '';
  return `${error.name} ${error.message} ${detail} ${error.cause === undefined ? '' : errorText(error.cause)}`;
}
