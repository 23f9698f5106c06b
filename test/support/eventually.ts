/**
 * Tries `work` until it succeeds, letting everything else run in between; the test's own time limit is the end of it.
 * For what becomes possible at a moment that only a library knows, such as a connection that is made again.
 */
export async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}
