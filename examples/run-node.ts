import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface RunNodeOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Ends the program with SIGTERM. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a Node.js program to its end. Also when it is ended by the signal, nothing of it runs any more afterwards.
 * @param args the program's file and its arguments
 * @returns what it printed to stdout
 * @throws the reason of the signal, or the error of `execFile` where the program fails
 */
export async function runNode(args: readonly string[], { env, signal }: RunNodeOptions = {}): Promise<string> {
  signal?.throwIfAborted();
  const running = promisify(execFile)(process.execPath, args, { env });
  const end = (): void => void running.child.kill('SIGTERM');
  signal?.addEventListener('abort', end);
  try {
    return (await running).stdout;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', end);
  }
}
