import { serialize } from 'node:v8';
import { Exit } from '../imports/wasi-cli.ts';
import type { ImportObject } from '../imports/wasi-empty.ts';
import { IncomingRequest } from '../imports/wasi-http-incoming.ts';
import { type ResponseOrError, ResponseOutparam } from '../imports/wasi-http-outgoing.ts';
import type { CallOutcome, Job } from '../messages.ts';
import { javaScriptName } from '../names.ts';
import type { Border } from './border.ts';
import type { GuestImports } from './guest-imports.ts';
import type { InstanceState } from './instance-state.ts';

/** What `jco` made of a component. */
export interface GeneratedModule {
  instantiate(
    getCoreModule: (name: string) => WebAssembly.Module,
    imports: ImportObject,
    instantiateCore: (module: WebAssembly.Module, imports?: WebAssembly.Imports) => WebAssembly.Instance,
  ): Instance;
}

/** The exports of one instance: functions, and interfaces with functions in them. */
export type Instance = Readonly<Record<string, unknown>>;

export interface JobTools {
  readonly border: Border;
  readonly imports: GuestImports;
  readonly state: InstanceState;
  nextId(): number;
}

/** How large the result of a function may be, as it is sent. Bytes. */
const MAX_RESULT = 16 * 1024 * 1024;

/** How much is told of why it trapped. Characters. */
const MAX_TRAP_LENGTH = 4_000;

type ExportedFunction = (...args: readonly unknown[]) => unknown;

/** Runs the one job of an instance to its end. Never throws. */
export function runJob(instance: Instance, job: Job, tools: JobTools): CallOutcome {
  try {
    switch (job.kind) {
      case 'function':
        return callFunction(exported(instance, javaScriptName(job.name)), job.args);
      case 'command':
        return runCommand(instance, job.args, tools);
      case 'http':
        return answerRequest(instance, job, tools);
    }
  } catch (error) {
    // jco marks the `err` of a WIT result by an own property `payload`; anything else thrown is a trap.
    if (error instanceof Error && Object.hasOwn(error, 'payload') && 'payload' in error) {
      return bounded({ type: 'error', payload: error.payload });
    }
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { type: 'trap', message: message.slice(0, MAX_TRAP_LENGTH) };
  }
}

function callFunction(fn: ExportedFunction, args: readonly unknown[]): CallOutcome {
  if (fn.length !== args.length) return { type: 'arguments', expected: fn.length };
  return bounded({ type: 'value', value: fn(...args) });
}

/** What can be sent to the host, and does no harm there. */
function bounded(outcome: CallOutcome): CallOutcome {
  const { length } = serialize(outcome);
  return length <= MAX_RESULT ? outcome : { type: 'trap', message: `a result of more than ${MAX_RESULT} bytes` };
}

function runCommand(instance: Instance, args: readonly string[], { imports }: JobTools): CallOutcome {
  imports.forCommand(args);
  try {
    exportedOf(instance, 'run', 'run')();
    return { type: 'exit', code: 0 };
  } catch (error) {
    if (error instanceof Exit) return { type: 'exit', code: error.code };
    // `run` returns a result that has neither a value nor an error of its own.
    if (error instanceof Error && Object.hasOwn(error, 'payload')) return { type: 'exit', code: 1 };
    throw error;
  }
}

function answerRequest(
  instance: Instance,
  { request }: Extract<Job, { kind: 'http' }>,
  { border, state, nextId }: JobTools,
): CallOutcome {
  const respond = (answer: ResponseOrError): void => {
    if (answer.tag === 'err') {
      // The rest is the component's own text, of any length.
      border.send({ type: 'respond-failed', tag: answer.val.tag });
      return;
    }
    const { outgoingBody } = answer.val;
    const pipe = outgoingBody === undefined ? undefined : nextId();
    border.send({ type: 'respond', response: answer.val.head(), body: pipe });
    if (pipe !== undefined) outgoingBody?.attach(state.pipes.writer(pipe));
  };
  exportedOf(
    instance,
    'incomingHandler',
    'handle',
  )(new IncomingRequest(border, request, state.jobBody), new ResponseOutparam(respond));
  return { type: 'value', value: undefined };
}

function exportedOf(instance: Instance, interfaceName: string, name: string): ExportedFunction {
  const found = instance[interfaceName];
  if (typeof found !== 'object' || found === null) throw new Error(`no interface ${interfaceName}`);
  return exported({ ...found }, name);
}

function exported(functions: Instance, name: string): ExportedFunction {
  const fn = functions[name];
  if (!isFunction(fn)) throw new Error(`no function ${name}`);
  return fn;
}

function isFunction(value: unknown): value is ExportedFunction {
  return typeof value === 'function';
}
