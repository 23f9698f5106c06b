import type { ImportOutcome } from '../host-import.ts';
import { createWasiCli } from '../imports/wasi-cli.ts';
import { createWasiClocks } from '../imports/wasi-clocks.ts';
import { EMPTY_WASI, type ImportObject } from '../imports/wasi-empty.ts';
import { createWasiHttpHandler } from '../imports/wasi-http-handler.ts';
import { createWasiHttpTypes } from '../imports/wasi-http-types.ts';
import { createWasiIo } from '../imports/wasi-io.ts';
import { WASI_RANDOM } from '../imports/wasi-random.ts';
import { createWasiStdio } from '../imports/wasi-stdio.ts';
import type { WorkerData } from '../messages.ts';
import { javaScriptName } from '../names.ts';
import type { Guest } from './guest.ts';

/** All that the component of a thread may be given. Whether it is, was decided when it was loaded. */
export interface GuestImports {
  readonly object: ImportObject;
  /** The instance that is there is a command, with these arguments. */
  forCommand(args: readonly string[]): void;
  /** For a new instance. */
  reset(): void;
}

/** The longest text that a component may hand to the host, in characters; a longer one is a mistake or an attack. */
const MAX_TEXT_LENGTH = 65_536;

export function createGuestImports(guest: Guest, remote: WorkerData['remote']): GuestImports {
  const cli = createWasiCli();
  const stdio = createWasiStdio(guest);
  return {
    object: {
      ...EMPTY_WASI,
      ...cli.imports,
      ...stdio.imports,
      ...createWasiIo(guest.border),
      ...createWasiClocks(guest),
      ...WASI_RANDOM,
      'wasi:http/types': createWasiHttpTypes(guest.border),
      'wasi:http/outgoing-handler': createWasiHttpHandler(guest),
      ...Object.fromEntries(
        remote.map(({ interface: name, functions }) => [name, remoteInterface(guest, name, functions)]),
      ),
    },
    forCommand(args) {
      cli.setArguments(args);
      stdio.forCommand();
    },
    reset() {
      cli.setArguments([]);
      stdio.reset();
    },
  };
}

/** An interface that the host answers, outside this thread. */
function remoteInterface(
  guest: Guest,
  name: string,
  functions: readonly string[],
): Readonly<Record<string, (...args: readonly unknown[]) => unknown>> {
  return Object.fromEntries(
    functions.map((fn) => [javaScriptName(fn), (...args: readonly unknown[]) => ask(guest, name, fn, args)]),
  );
}

function ask({ border, state, nextId }: Guest, name: string, fn: string, args: readonly unknown[]): unknown {
  if (args.some((arg) => typeof arg === 'string' && arg.length > MAX_TEXT_LENGTH)) {
    throw new RangeError(`${name}#${fn} takes at most ${MAX_TEXT_LENGTH} characters`);
  }
  const id = nextId();
  border.send({ type: 'import', id, interface: name, function: fn, args });
  border.wait(() => state().hasOutcome(id));
  const outcome: ImportOutcome | undefined = state().takeOutcome(id);
  if (outcome === undefined) throw new Error(`no answer to ${name}#${fn}`);
  if ('ok' in outcome) return outcome.ok;
  throw Object.assign(new Error('the host refused'), { payload: outcome.err });
}
