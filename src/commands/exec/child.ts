import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { systemErrorCode } from '../../config/read-file.ts';
import type { EndingSignal } from '../terminal.ts';

/** How a program ended, as a shell has it: its own exit code, or 128 and the number of the signal that ended it. */
export interface ChildEnd {
  readonly code: number;
  /** Why it could not even be started. */
  readonly problem?: string;
}

/** A program at work. */
export interface Child {
  signal(name: EndingSignal): void;
  readonly ended: Promise<ChildEnd>;
}

/** POSIX, Shell Command Language section 2.8.2: the command was not found, or could not be run. */
const NOT_FOUND = 127;
const CANNOT_RUN = 126;

/** Starts a program with our stdin, stdout and stderr. */
export function startChild(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Child {
  const child = spawn(command, args, { env, stdio: 'inherit' });
  return {
    // One that has ended takes no signal, which is not an error.
    signal: (name) => void child.kill(name),
    ended: new Promise((resolve) => {
      child.once('error', (error) => {
        const reason = systemErrorCode(error);
        const code = reason === 'ENOENT' ? NOT_FOUND : CANNOT_RUN;
        resolve({ code, problem: `${command}: cannot be started (${reason})` });
      });
      child.once('exit', (code, signal) => resolve({ code: code ?? signalExitCode(signal) }));
    }),
  };
}

/** 128 and the number of the signal, as shells have it. */
export function signalExitCode(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}
