import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { until } from '../../support/until.ts';
import type { Reaper } from './reaper.ts';

/** One SPIRE program that can be stopped and started again on the data it has. */
export interface Program {
  start(): Promise<void>;
  /** SIGTERM, or SIGKILL for one that has no time to tidy up. Waits for the end. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export interface ProgramOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly reaper: Reaper;
  /** Whether it serves. */
  isReady(): Promise<boolean>;
}

const START_MS = 30_000;

export function createProgram({ file, args, logFile, reaper, isReady }: ProgramOptions): Program {
  let child: ChildProcess | undefined;

  return {
    async start() {
      const log = openSync(logFile, 'a');
      const started = spawn(file, args, { stdio: ['ignore', log, log] });
      child = started;
      closeSync(log);
      await once(started, 'spawn');
      const { pid } = started;
      if (pid === undefined) throw new Error(`${file} has no pid`);
      reaper.started(pid);
      started.once('exit', () => reaper.ended(pid));
      const look = async (): Promise<boolean> => {
        if (hasEnded(started)) throw new Error(`${file} ended:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
        return isReady();
      };
      await until(`${file} serves`, look, (serves) => serves, { within: START_MS });
    },
    async stop(signal = 'SIGTERM') {
      if (child === undefined || hasEnded(child)) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
  };
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
