import type { Guest } from '../guest/guest.ts';
import type { OutputName } from '../messages.ts';
import { CLOSED, EMPTY_SOURCE, InputStream, OutputStream } from './wasi-io.ts';

/** How much one instance may write to stdout and stderr together, for the log: bytes. The rest goes nowhere. */
const MAX_LOGGED = 256 * 1024;

/** How much a command may write, whose output is its result: bytes. Beyond it the streams are closed, which it can tell. */
const MAX_OF_COMMAND = 64 * 1024 * 1024;

/** What a write counts at least, and in a log each line: each is a message to the host, and work there. Bytes. */
const MIN_COST = 64;

const LINE_END = 0x0a;

/** How much is taken at a time. Bytes. */
const ROOM = 16 * 1024;

/** `wasi:cli/stdin`, `stdout` and `stderr`: input is at its end, output goes to the host, so much and no more. */
export interface WasiStdio {
  readonly imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** For a new instance: it may write anew. */
  reset(): void;
  /** The instance that is there is a command. */
  forCommand(): void;
}

export function createWasiStdio({ border }: Guest): WasiStdio {
  let left = MAX_LOGGED;
  let isCommand = false;

  function output(stream: OutputName): OutputStream {
    return new OutputStream(border, {
      room() {
        if (isCommand && left === 0) throw CLOSED;
        return ROOM;
      },
      write(contents) {
        const bytes = new Uint8Array(contents.subarray(0, left));
        const lines = isCommand ? 0 : bytes.reduce((sum, byte) => (byte === LINE_END ? sum + 1 : sum), 0);
        left = Math.max(left - Math.max(bytes.length, MIN_COST, lines * MIN_COST), 0);
        if (bytes.length > 0) border.send({ type: 'output', stream, bytes }, [bytes.buffer]);
      },
      drop() {},
    });
  }

  return {
    imports: {
      'wasi:cli/stdin': { getStdin: () => new InputStream(border, EMPTY_SOURCE) },
      'wasi:cli/stdout': { getStdout: () => output('stdout') },
      'wasi:cli/stderr': { getStderr: () => output('stderr') },
    },
    reset() {
      left = MAX_LOGGED;
      isCommand = false;
    },
    forCommand() {
      left = MAX_OF_COMMAND;
      isCommand = true;
    },
  };
}
