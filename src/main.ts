#!/usr/bin/env node
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { CommanderError } from 'commander';
import { toSvidxError } from './base/errors.ts';
import { describeError } from './base/logger.ts';
import { EXIT_CODE } from './commands/exit-codes.ts';
import { createProgram } from './commands/program.ts';
import type { Terminal } from './commands/terminal.ts';

/** The only file that touches `process`: it turns argv, environment, streams and signals into a command's world. */
const terminal: Terminal = {
  env: process.env,
  tmpdir: tmpdir(),
  logDestination: { write: (line) => process.stderr.write(line) },
  print: (line) => process.stdout.write(`${line}\n`),
  readStdin: () => text(process.stdin),
  stopped: () =>
    new Promise((resolve) => {
      // Once each: a second signal ends the process as it would without us.
      process.once('SIGTERM', () => resolve());
      process.once('SIGINT', () => resolve());
    }),
};

try {
  await createProgram(terminal).parseAsync(process.argv);
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    // Commander has said already what is wrong; its own exit code is 0 for help and version.
    process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  } else {
    const error = toSvidxError(thrown);
    const { detail } = { detail: undefined, ...describeError(error) };
    process.stderr.write(`svidx: ${error.code}: ${error.message}\n${detail === undefined ? '' : `  ${detail}\n`}`);
    process.exitCode = EXIT_CODE[error.code];
  }
}
