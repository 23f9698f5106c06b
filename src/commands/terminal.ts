import type { DestinationStream } from 'pino';

/** The signals that ask a program to end, and that it may answer as it likes. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

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
  /** Writes bytes to stdout or stderr as they are. */
  writeRaw(stream: 'stdout' | 'stderr', bytes: Uint8Array): void;
  /** Everything on stdin, as UTF-8. */
  readStdin(): Promise<string>;
  /** Whether a person sits at stdin: what is typed there as a signal reaches every process of the terminal by itself. */
  readonly interactive: boolean;
  /** Ends, once all is done, with this exit code (0 to 255), for a command that has said itself what is wrong. */
  exitWith(code: number): void;
  /** Calls `listener` for each signal that asks a program to end, and keeps the process alive then. Returns the way back. */
  onSignal(listener: (signal: EndingSignal) => void): () => void;
  /** Resolves at the first SIGTERM or SIGINT. */
  stopped(): Promise<void>;
}
