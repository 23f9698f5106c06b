import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from './eventually.ts';
import { tempFolder } from './temp.ts';

const ROOT = join(import.meta.dirname, '../..');
const DEMO = join(ROOT, 'examples/demo.ts');

/** What the demo left behind. */
export interface FinishedDemo {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What is in its folder for temporary files. */
  readonly files: readonly string[];
  /** Whether a process of it, or of one that it started, still runs. */
  readonly alive: boolean;
}

export interface RunningDemo {
  /** Waits until this stands on stdout; fails when the demo ends before. */
  printed(text: string): Promise<void>;
  /** Waits until something is in its folder whose name begins so; fails when the demo ends before. */
  made(prefix: string): Promise<void>;
  /** Sends a signal to the demo alone, as `kill` does, or to all that it started as well, as Ctrl-C does. */
  signal(name: NodeJS.Signals, to: 'demo' | 'group'): void;
  finished(): Promise<FinishedDemo>;
}

/** Starts `npm run demo`, as npm would, in a process group and with a folder for temporary files of its own. */
export async function startDemo(): Promise<RunningDemo> {
  const folder = await tempFolder();
  const child = spawn(process.execPath, [DEMO], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      NO_COLOR: '1',
      TMPDIR: folder,
      // Where Node keeps what it has compiled: it halves the time in which each of its many commands starts.
      NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/svidx-test'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the demo did not start');
  onTestFinished(() => void signalGroup(pid, 'SIGKILL'));

  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
    });
  }
  const finished = once(child, 'close').then(
    async (): Promise<FinishedDemo> => ({
      code: child.exitCode,
      signal: child.signalCode,
      ...output,
      files: await readdir(folder),
      alive: signalGroup(pid, 0),
    }),
  );
  /** Waits until this is so. */
  const until = (what: string, check: () => boolean | Promise<boolean>): Promise<void> =>
    Promise.race([
      eventually(async () => {
        if (!(await check())) throw new Error('not yet');
      }),
      finished.then(({ stderr }) => Promise.reject(new Error(`the demo ended before ${what}: ${stderr}`))),
    ]);

  return {
    printed: (text) => until(`it printed ${text}`, () => output.stdout.includes(text)),
    made: (prefix) =>
      until(`it made ${prefix}`, async () => (await readdir(folder)).some((name) => name.startsWith(prefix))),
    signal(name, to) {
      if (to === 'demo') child.kill(name);
      else signalGroup(pid, name);
    },
    finished: () => finished,
  };
}

/** Whether there was a process in this group to send the signal to. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
