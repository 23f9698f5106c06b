import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'src/main.ts');

/** What any program needs, and a place where Node keeps what it has compiled: it halves the time a command starts in. */
const BASE_ENV = {
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  NO_COLOR: '1',
  NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/svidx-test'),
};

/** A command that should end and does not is killed before the test gives up, so that it does not outlive it. */
const MAX_COMMAND_MS = 15_000;

export interface SvidxOptions {
  /** Variables, beside the few that any program needs. Nothing of the developer's own environment goes through. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
}

/** What a command left behind. */
export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs until it is ended. */
export interface Running {
  /** Its first line on stdout, once it is there; fails when it ends without one. */
  firstLine(): Promise<string>;
  /** What this finds on stderr, once it is there; fails when it ends before. */
  logged(pattern: RegExp): Promise<RegExpExecArray>;
  /** The same on stdout. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Closes our end of the pipe, as a reader does that has seen enough. */
  stopReading(name: 'stdout' | 'stderr'): void;
  signal(name: NodeJS.Signals): void;
  /** Waits for the end. */
  finished(): Promise<Finished>;
  /** Sends SIGTERM, if it still runs, and waits for the end. */
  end(): Promise<Finished>;
}

/** Runs `svidx`, as a user would, to its end. Its stderr is searched for every secret that any command has printed. */
export async function svidx(args: readonly string[], options: SvidxOptions = {}): Promise<Finished> {
  return startSvidx(args, options, MAX_COMMAND_MS).finished();
}

/**
 * Starts `svidx` and leaves it running.
 * @param timeout milliseconds after which it is killed
 */
export function startSvidx(args: readonly string[], options: SvidxOptions = {}, timeout?: number): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...BASE_ENV, ...options.env },
    cwd: options.cwd,
    timeout,
    killSignal: 'SIGKILL',
  });
  // A command that does not read its stdin may end before this is written.
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');

  const output = { stdout: '', stderr: '' };
  let over = false;
  const waiting: (() => void)[] = [];
  const wakeUp = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
      wakeUp();
    });
  }
  const finished = once(child, 'close').then((): Finished => {
    over = true;
    wakeUp();
    learnSecrets(output.stdout);
    expectNoSecrets(output.stderr);
    return { code: child.exitCode, signal: child.signalCode, ...output };
  });

  /** What `find` finds in the output, as soon as it does. */
  async function waitFor<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (over) throw new Error(`svidx ${args.join(' ')} ended too early: ${output.stderr}`);
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }

  return {
    firstLine: () => waitFor(() => /^(.*)\n/.exec(output.stdout)?.[1]),
    logged: (pattern) => waitFor(() => pattern.exec(output.stderr) ?? undefined),
    printed: (pattern) => waitFor(() => pattern.exec(output.stdout) ?? undefined),
    stopReading: (name) => void child[name].destroy(),
    signal: (name) => void child.kill(name),
    finished: () => finished,
    async end() {
      if (!over) child.kill('SIGTERM');
      return finished;
    },
  };
}

/** Every secret that a command of this test file has printed on stdout, where secrets may be. */
const secrets = new Set<string>();

const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g;
const SECRET_FIELD = /(?:secret_?access_?key|session_?token)["']?\s*[:=]\s*["']([^"']{8,})["']/gi;

function learnSecrets(stdout: string): void {
  for (const [token] of stdout.matchAll(TOKEN)) secrets.add(token);
  for (const [, value] of stdout.matchAll(SECRET_FIELD)) if (value !== undefined) secrets.add(value);
}

function expectNoSecrets(stderr: string): void {
  expect(stderr).not.toMatch(TOKEN);
  for (const secret of secrets) expect(stderr.includes(secret), 'a secret on stderr').toBe(false);
}

/** How many different secrets were seen: a test that relies on the search asks whether there was anything to find. */
export function secretsSeen(): number {
  return secrets.size;
}
