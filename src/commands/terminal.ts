import type { DestinationStream } from 'pino';

/** What a command sees of the process it runs in. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder for temporary files. */
  readonly tmpdir: string;
  /** Whether stdout is a terminal that shows colours, and whoever sits there has not said NO_COLOR. */
  readonly colours: boolean;
  /** Where log lines go. */
  readonly logDestination: DestinationStream;
  /** Writes the command's result to stdout, with a line end. */
  print(text: string): void;
  /** Everything on stdin, as UTF-8. */
  readStdin(): Promise<string>;
  /** Ends, once all is done, with this exit code, for a command that has said itself what is wrong. */
  exitWith(code: 1 | 2): void;
  /** Resolves at the first SIGTERM or SIGINT. */
  stopped(): Promise<void>;
}
