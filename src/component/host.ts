import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { type Secret, scrub } from '../base/secret.ts';
import type { Broker } from '../broker/broker.ts';
import type { Hosting } from '../broker/hosting.ts';
import type { Caller } from '../policy/evaluate.ts';
import type { CompiledComponent } from './compile.ts';
import { createCompileCache } from './compile-cache.ts';
import type { CompileFolder } from './compile-folder.ts';
import { componentHandlers, HOST_IMPORTS } from './component-handlers.ts';
import type { Egress } from './egress/egress.ts';
import { rememberSecrets } from './given-secrets.ts';
import type { HttpJob, OutputSink } from './host-side.ts';
import { checkImports } from './imports/catalogue.ts';
import type { FinishedCall } from './messages.ts';
import { startComponentThread, type ThreadJob } from './thread.ts';
import { createThreadPool } from './thread-pool.ts';

export interface ComponentHostOptions {
  readonly broker: Broker;
  readonly hosting: Hosting;
  readonly egress: Egress;
  readonly clock: Clock;
  /** Where compiled components outlive this process; without it they do not. */
  readonly compileFolder?: CompileFolder | undefined;
  /**
   * Where stdout and stderr of an instance go.
   * @param given the secrets that this component was given so far
   */
  openOutput(caller: Caller, given: () => readonly Secret[]): OutputSink;
}

/** What one component may use of this machine. */
export interface ComponentLimits {
  /** Milliseconds that one call may take, waiting for the host included; and that it may wait for its turn. */
  readonly timeoutMs: number;
  /** How many calls may run at the same time, each in an instance of its own. */
  readonly instances: number;
  /** How many further calls may wait. */
  readonly maxWaiting: number;
  /** How many bytes the linear memories of one instance may have together. */
  readonly memoryBytes: number;
}

/** The result of a function, or its own error: the `ok` or the `err` of its WIT `result`. */
export type ComponentResult = { readonly ok: unknown } | { readonly err: unknown };

/** A component that is loaded under a name, with the rights that the policy gives to that name. */
export interface LoadedComponent {
  /** `sha256:` and the SHA-256 of its bytes. */
  readonly digest: string;
  /** All that it imports, as WIT names it. */
  readonly imports: readonly string[];
  /** The functions that can be called, as WIT names them. */
  readonly functions: readonly string[];
  /** Does it answer HTTP requests? */
  readonly isHttpHandler: boolean;
  /** Can it be run as a command? */
  readonly isCommand: boolean;
  /**
   * Calls an exported function in a fresh instance, in a thread of this component.
   * @param name as in `functions`
   * @param args in the shape `jco` lowers: strings, numbers, bigints, arrays, objects
   * @throws SvidxError `component_export_unknown`, `component_trapped`, `component_timed_out`, `component_busy` or
   *   `service_stopping`
   */
  call(name: string, args: readonly unknown[]): Promise<ComponentResult>;
  /**
   * Runs it as a command, in a fresh instance.
   * @param args what `wasi:cli/environment` tells it; by custom (POSIX) the first is the name of the program
   * @returns its exit code: 0 to 255
   * @throws SvidxError as {@link call} does
   */
  run(args: readonly string[]): Promise<number>;
  /**
   * Has it answer an HTTP request, in a fresh instance; resolves when it is done, which may be long after the answer began.
   * @param signal says that nobody wants the answer any more
   * @throws SvidxError as {@link call} does, or the signal's reason
   */
  serve(job: HttpJob, signal: AbortSignal): Promise<void>;
  /** The secrets it was given so far: nothing that it says may go into a log with one of them in it. */
  givenSecrets(): readonly Secret[];
  /**
   * Takes no more calls, lets those under way finish, and lets go of its threads.
   * @param refusal what calls fail with that wait for their turn; without one they are served
   */
  retire(refusal?: SvidxError): Promise<void>;
}

export interface ComponentHost {
  /**
   * Compiles a component and gives it a name. Who it is in every later request follows from that name and its bytes. It has
   * been instantiated once when it is handed out.
   * @throws SvidxError `component_invalid`, `component_import_denied`, `policy_denied`, `component_trapped`,
   *   `component_timed_out` or `service_stopping`
   */
  load(name: string, bytes: Uint8Array, limits: ComponentLimits): Promise<LoadedComponent>;
  /** Ends all threads. Calls under way fail with `service_stopping`. May be called again. */
  close(): Promise<void>;
}

/** A host for WebAssembly components: each in threads of its own, each call in a fresh instance. */
export function createComponentHost(options: ComponentHostOptions): ComponentHost {
  const { clock } = options;
  const loaded = new Set<{ close(error: SvidxError): Promise<void> }>();
  const closing = new AbortController();
  const compiling = createCompileCache({ clock, folder: options.compileFolder });

  async function load(name: string, bytes: Uint8Array, limits: ComponentLimits): Promise<LoadedComponent> {
    const { memoryBytes } = limits;
    const compiled = await compiling.compile(bytes, { memoryBytes }, closing.signal);
    const caller: Caller = { component: name, digest: compiled.digest };
    checkImports(compiled.imports, await options.hosting.rights(caller), name);
    closing.signal.throwIfAborted();

    const secrets = rememberSecrets(options.broker);
    const handlers = componentHandlers({
      ...options,
      caller,
      broker: secrets.broker,
      openOutput: () => options.openOutput(caller, secrets.all),
    });
    const { timeoutMs } = limits;
    const pool = createThreadPool({
      size: limits.instances,
      maxWaiting: limits.maxWaiting,
      maxWaitMs: timeoutMs,
      clock,
      start: () => startComponentThread({ compiled, remote: REMOTE, handlers, clock, timeoutMs }),
    });
    loaded.add(pool);
    try {
      await pool.ready();
    } catch (error) {
      loaded.delete(pool);
      await pool.close(stopping());
      throw error;
    }

    const perform = (job: ThreadJob, signal?: AbortSignal): Promise<FinishedCall> =>
      pool.use((thread) => thread.run(job, signal), signal);
    return {
      digest: compiled.digest,
      imports: compiled.imports,
      functions: compiled.functions,
      isHttpHandler: compiled.httpHandler !== undefined,
      isCommand: compiled.command !== undefined,
      async call(fn, args) {
        if (!compiled.functions.includes(fn)) throw noSuchFunction(fn, compiled.functions);
        return toResult(await perform({ kind: 'function', name: fn, args }), fn, args.length);
      },
      async run(args) {
        refuseUnless(compiled.command, 'no command', 'wasi:cli/run', compiled);
        const outcome = await perform({ kind: 'command', args });
        return outcome.type === 'exit' ? outcome.code : 1;
      },
      async serve(job, signal) {
        refuseUnless(compiled.httpHandler, 'no HTTP handler', 'wasi:http/incoming-handler', compiled);
        await perform(job, signal);
      },
      givenSecrets: secrets.all,
      async retire(refusal) {
        await pool.retire(stopping(), refusal);
        loaded.delete(pool);
      },
    };
  }

  return {
    load,
    async close() {
      closing.abort(stopping());
      await compiling.close(stopping());
      await Promise.all([...loaded].map((pool) => pool.close(stopping())));
    },
  };
}

const REMOTE = HOST_IMPORTS.map(({ name, functions }) => ({ interface: name, functions: Object.keys(functions) }));

function toResult(outcome: FinishedCall, fn: string, given: number): ComponentResult {
  switch (outcome.type) {
    case 'value':
      return { ok: outcome.value };
    case 'error':
      return { err: outcome.payload };
    case 'arguments':
      throw new SvidxError('component_export_unknown', `${fn} takes ${outcome.expected} arguments, not ${given}`);
    case 'exit':
      throw new SvidxError('component_trapped', 'the component trapped: it called exit');
  }
}

function refuseUnless(
  exported: string | undefined,
  what: string,
  interfaceName: string,
  { functions }: CompiledComponent,
): void {
  if (exported !== undefined) return;
  const others = functions.length === 0 ? '' : `; it exports ${functions.join(', ')}`;
  throw new SvidxError('component_export_unknown', `the component is ${what}: expected ${interfaceName}@0.2${others}`);
}

function noSuchFunction(name: string, functions: readonly string[]): SvidxError {
  const known = functions.length === 0 ? 'it exports no function' : `it exports ${functions.join(', ')}`;
  return new SvidxError(
    'component_export_unknown',
    `the component exports no function ${scrub(JSON.stringify(name))}: ${known}`,
  );
}

function stopping(): SvidxError {
  return new SvidxError('service_stopping', 'the host is shutting down');
}
