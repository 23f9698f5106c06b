/** Ends a component that calls exit; nothing else of it runs. A command has come to its end, anything else has trapped. */
export class Exit extends Error {
  override readonly name = 'Exit';
  readonly code: number;

  constructor(code: number) {
    super('the component called exit');
    this.code = code;
  }
}

/** `wasi:cli` 0.2, but for stdio: the arguments of a command, no variables, no folder, no terminal. */
export interface WasiCli {
  readonly imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The arguments that the next command sees. */
  setArguments(args: readonly string[]): void;
}

export function createWasiCli(): WasiCli {
  let current: readonly string[] = [];
  return {
    imports: {
      'wasi:cli/environment': {
        getEnvironment: () => [],
        getArguments: () => current,
        initialCwd: () => undefined,
      },
      'wasi:cli/exit': {
        exit(status: { readonly tag: 'ok' | 'err' }): never {
          throw new Exit(status.tag === 'ok' ? 0 : 1);
        },
        exitWithCode(code: number): never {
          throw new Exit(code);
        },
      },
      'wasi:cli/terminal-input': { TerminalInput: class Unreachable {} },
      'wasi:cli/terminal-output': { TerminalOutput: class Unreachable {} },
      'wasi:cli/terminal-stdin': { getTerminalStdin: () => undefined },
      'wasi:cli/terminal-stdout': { getTerminalStdout: () => undefined },
      'wasi:cli/terminal-stderr': { getTerminalStderr: () => undefined },
    },
    setArguments(args) {
      current = args;
    },
  };
}
