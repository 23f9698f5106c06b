import { inspect } from 'node:util';

/** Milliseconds between two looks, so that whoever is waited for has the processor. */
const PAUSE_MS = 10;

export interface UntilOptions {
  /** Milliseconds after which it fails. */
  readonly within: number;
}

/**
 * Looks again and again until what it sees is as expected, and fails with what it saw last when that takes too long. For
 * processes of their own, which nobody tells us about.
 * @param what said in the failure
 */
export async function until<T>(
  what: string,
  look: () => Promise<T>,
  isExpected: (seen: T) => boolean,
  { within }: UntilOptions,
): Promise<T> {
  const end = performance.now() + within;
  for (;;) {
    const seen = await look();
    if (isExpected(seen)) return seen;
    if (performance.now() > end) throw new Error(`${what}: not within ${within} ms; seen last: ${inspect(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
