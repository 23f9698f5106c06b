import { systemClock } from '../base/clock.ts';
import { createLogger, type Logger } from '../base/logger.ts';
import { type Child, type ChildEnd, signalExitCode, startChild } from './exec/child.ts';
import { openEnvironment } from './exec/environment.ts';
import { keepSession } from './exec/keep-session.ts';
import { providersFor } from './exec/providers.ts';
import { brokerSocketPath, sessionsAt } from './socket-client.ts';
import type { EndingSignal, Terminal } from './terminal.ts';

export interface ExecOptions {
  readonly component: string;
  readonly grant?: string;
  readonly socket: string;
}

/** What leads to other identities than the component's, and so is not for its program. */
const OPERATORS_VARIABLES = ['SVIDX_SOCKET', 'SPIRE_ADMIN_ENDPOINT_SOCKET'];

/** From a terminal these reach the program as well as us. */
const TYPED_SIGNALS: readonly EndingSignal[] = ['SIGINT', 'SIGQUIT'];

/**
 * `svidx exec`: runs a program that has, in its environment, the identity and the credentials of a component, for as long as
 * it runs. Its signals and its exit code go through.
 */
export async function exec(terminal: Terminal, words: readonly string[], options: ExecOptions): Promise<void> {
  const { component, grant } = options;
  const [command = '', ...args] = words;
  const socket = brokerSocketPath(options.socket);
  const logger = createLogger({ level: 'warn', destination: terminal.logDestination });

  let asked: EndingSignal | undefined;
  let child: Child | undefined;
  const unsubscribe = terminal.onSignal((signal) => {
    asked ??= signal;
    if (!(terminal.interactive && TYPED_SIGNALS.includes(signal))) child?.signal(signal);
  });
  const closers: (() => Promise<void>)[] = [];

  /** Nothing is started any more once we are asked to end. */
  async function run(): Promise<ChildEnd> {
    const sessions = sessionsAt(socket);
    const session = await sessions.open({ component }, { grant });
    closers.push(keepSession(sessions, session, systemClock, logger));
    const runtimeFolder = terminal.env['XDG_RUNTIME_DIR'];
    const world = { clock: systemClock, random: Math.random, logger };
    const providers = providersFor({ ...world, socket, component, session, runtimeFolder });
    const env = await openEnvironment(withoutOperators(terminal.env), providers, closers, () => asked === undefined);
    if (asked !== undefined) return { code: signalExitCode(asked) };
    child = startChild(command, args, env);
    return child.ended;
  }

  try {
    const { code, problem } = await run();
    if (problem !== undefined) terminal.logDestination.write(`svidx: ${problem}\n`);
    terminal.exitWith(code);
  } finally {
    for (const close of closers.reverse()) await close().catch((error: unknown) => warn(logger, error));
    unsubscribe();
  }
}

function withoutOperators(env: Terminal['env']): Terminal['env'] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OPERATORS_VARIABLES.includes(name)));
}

function warn(logger: Logger, error: unknown): void {
  logger.warn({ event: 'exec.not_cleaned_up', error }, 'something of the program is left behind');
}
