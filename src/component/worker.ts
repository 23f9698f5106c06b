import { parentPort, workerData } from 'node:worker_threads';
import { type CoreInstances, createCoreInstances } from './core-instances.ts';
import type { ImportOutcome } from './host-import.ts';
import { EMPTY_WASI, type ImportObject } from './imports/wasi-empty.ts';
import { Pollable, poll } from './imports/wasi-io.ts';
import type { CallOutcome, FromWorker, ToWorker, WorkerData } from './messages.ts';
import { javaScriptName } from './names.ts';

/**
 * The thread a component runs in: one call at a time, a fresh instance for each. It holds nothing but the component; what
 * the component asks of the host goes out as a message, and the component waits (JSPI) until the answer comes in.
 */

type ExportedFunction = (...args: readonly unknown[]) => Promise<unknown>;

interface GeneratedModule {
  instantiate(
    getCoreModule: (name: string) => WebAssembly.Module,
    imports: ImportObject,
    instantiateCore: CoreInstances['instantiate'],
  ): Promise<Readonly<Record<string, unknown>>>;
}

/** The longest text that a component may hand to the host, in characters; a longer one is a mistake or an attack. */
const MAX_TEXT_LENGTH = 65_536;

const port = parentPort;
if (port === null) throw new Error('worker.ts runs in a worker thread only');

const data: WorkerData = workerData;
const generated: Promise<GeneratedModule> = import(
  `data:text/javascript;base64,${Buffer.from(data.source).toString('base64')}`
);
const waiting = new Map<number, (outcome: ImportOutcome) => void>();
let lastImportId = 0;

port.on('message', (message: ToWorker) => {
  if (message.type === 'import-outcome') {
    waiting.get(message.id)?.(message.outcome);
    waiting.delete(message.id);
    return;
  }
  void call(message.export, message.args).then((outcome) => send({ type: 'call-outcome', outcome }));
});

async function call(name: string, args: readonly unknown[]): Promise<CallOutcome> {
  try {
    const { instantiate } = await generated;
    let fail = (_error: unknown): void => {};
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    // Nobody listens to it while the component is instantiated.
    failed.catch(() => {});
    const cores = createCoreInstances(data.cores);
    const exports = await instantiate(cores.getModule, importObject(fail), cores.instantiate);
    const fn = exports[javaScriptName(name)];
    if (!isFunction(fn)) return { type: 'trap', message: `no function ${name}` };
    if (fn.length !== args.length) return { type: 'arguments', expected: fn.length };
    return { type: 'value', value: await Promise.race([fn(...args), failed]) };
  } catch (error) {
    // jco marks the `err` of a WIT result by an own property `payload`; anything else thrown is a trap.
    if (error instanceof Error && Object.hasOwn(error, 'payload') && 'payload' in error) {
      return { type: 'error', payload: error.payload };
    }
    return { type: 'trap', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

/**
 * @param fail ends the call: in jco 1.34 a suspending function without a WIT `result` that throws would leave the component
 *   waiting for ever
 */
function importObject(fail: (error: unknown) => void): ImportObject {
  const remote = data.remote.map(({ interface: name, functions }) => [
    name,
    Object.fromEntries(functions.map((fn) => [javaScriptName(fn), (...args: unknown[]) => ask(name, fn, args)])),
  ]);
  const pollOrFail = (pollables: readonly Pollable[]): Uint32Array => {
    try {
      return poll(pollables);
    } catch (error) {
      fail(error);
      throw error;
    }
  };
  return { ...EMPTY_WASI, 'wasi:io/poll': { Pollable, poll: pollOrFail }, ...Object.fromEntries(remote) };
}

async function ask(name: string, fn: string, args: readonly unknown[]): Promise<unknown> {
  if (args.some((arg) => typeof arg === 'string' && arg.length > MAX_TEXT_LENGTH)) {
    throw new RangeError(`${name}#${fn} takes at most ${MAX_TEXT_LENGTH} characters`);
  }
  const outcome = await new Promise<ImportOutcome>((resolve) => {
    lastImportId += 1;
    waiting.set(lastImportId, resolve);
    send({ type: 'import', id: lastImportId, interface: name, function: fn, args });
  });
  if ('ok' in outcome) return outcome.ok;
  throw Object.assign(new Error('the host refused'), { payload: outcome.err });
}

function send(message: FromWorker): void {
  port?.postMessage(message);
}

function isFunction(value: unknown): value is ExportedFunction {
  return typeof value === 'function';
}
