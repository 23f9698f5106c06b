#!/usr/bin/env node
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { CommanderError } from 'commander';
import { toSvidxError } from './base/errors.ts';
import { scrub } from './base/secret.ts';
import { EXIT_CODE } from './commands/exit-codes.ts';
import { createProgram } from './commands/program.ts';
import { ENDING_SIGNALS, type Terminal } from './commands/terminal.ts';

/** Long enough for the longest path and what is wrong there. Characters. */
const MAX_LINE_LENGTH = 5_000;

/** The only file that touches `process`: it turns argv, environment, streams and signals into a command's world. */
const terminal: Terminal = {
  env: process.env,
  tmpdir: tmpdir(),
  // no-color.org: set to anything but nothing.
  colours: process.stdout.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
  logDestination: { write: (line) => process.stderr.write(line) },
  print: (line) => process.stdout.write(`${line}\n`),
  writeRaw: (stream, bytes) => process[stream].write(bytes),
  readStdin: () => text(process.stdin),
  interactive: process.stdin.isTTY === true,
  exitWith: (code) => {
    process.exitCode = code;
  },
  onSignal(listener) {
    for (const signal of ENDING_SIGNALS) process.on(signal, listener);
    return () => {
      for (const signal of ENDING_SIGNALS) process.off(signal, listener);
    };
  },
  stopped: () =>
    new Promise((resolve) => {
      // Once each: a second signal ends the process as it would without us.
      process.once('SIGTERM', () => resolve());
      process.once('SIGINT', () => resolve());
    }),
};

// Whoever read these may go before we do. A result that reaches nobody is a failure; a service goes on without its log.
process.stdout.on('error', () => {
  process.exitCode = 1;
});
process.stderr.on('error', () => {});

try {
  await createProgram(terminal).parseAsync(process.argv);
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    // Commander has said already what is wrong; its own exit code is 0 for help and version.
    process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  } else {
    const error = toSvidxError(thrown);
    // Line by line, since a message has one for each problem; it may quote what somebody typed or a component returned.
    const lines = error.message.split('\n').map((line) => scrub(line, [], MAX_LINE_LENGTH));
    if (error.detail !== undefined) lines.push(`  ${scrub(error.detail)}`);
    process.stderr.write(`svidx: ${error.code}: ${lines.join('\n')}\n`);
    process.exitCode = EXIT_CODE[error.code];
  }
}
