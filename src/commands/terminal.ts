import type { DestinationStream } from 'pino';

/** What a command sees of the process it runs in. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder for temporary files. */
  readonly tmpdir: string;
  /** Where log lines go. */
  readonly logDestination: DestinationStream;
  /** Writes the command's result to stdout, with a line end. */
  print(text: string): void;
  /** Everything on stdin, as UTF-8. */
  readStdin(): Promise<string>;
  /** Resolves at the first SIGTERM or SIGINT. */
  stopped(): Promise<void>;
}
