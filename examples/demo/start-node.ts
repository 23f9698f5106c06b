import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A Node.js program that runs until it is ended. */
export interface StartedProgram {
  /**
   * The first line that it prints.
   * @throws Error when it ends, or the signal comes, before it has printed one
   */
  firstLine(signal: AbortSignal): Promise<string>;
  /** Sends SIGTERM, if it still runs, and waits for its end. */
  end(): Promise<void>;
}

/**
 * Starts a Node.js program. What it writes to stderr is seen.
 * @param args the program's file and its arguments
 */
export function startNode(args: readonly string[], env: NodeJS.ProcessEnv = process.env): StartedProgram {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  return {
    firstLine: (signal) => firstLine(child, signal),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function firstLine({ stdout, spawnargs }: ChildProcess, signal: AbortSignal): Promise<string> {
  if (stdout === null) throw new Error('the program has no stdout');
  for await (const line of createInterface({ input: stdout, signal })) return line;
  throw new Error(`${spawnargs.slice(1, 3).join(' ')} ended before it was ready`);
}
