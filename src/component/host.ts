import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';
import type { Broker } from '../broker/broker.ts';
import type { ComponentRights } from '../broker/hosting.ts';
import type { Caller } from '../policy/evaluate.ts';
import type { CompiledComponent } from './compile.ts';
import { createCompileCache } from './compile-cache.ts';
import type { HostImport, ImportOutcome } from './host-import.ts';
import { checkImports } from './imports/catalogue.ts';
import { credentialsImport } from './imports/credentials.ts';
import { identityImport } from './imports/identity.ts';
import type { FinishedCall } from './messages.ts';
import { withoutVersion } from './names.ts';
import { type ComponentThread, type ImportRequest, startComponentThread } from './thread.ts';
import { createThreadPool, type ThreadPool } from './thread-pool.ts';

/** The interfaces that every component is given and that have something behind them. */
const HOST_IMPORTS: readonly HostImport[] = [identityImport, credentialsImport];

/** Everything that needs no answer from outside but identity and credentials. */
const GIVEN: ComponentRights = {
  identity: true,
  credentials: true,
  wasi: new Set(['clocks', 'random', 'stdio']),
  config: new Map(),
  egress: [],
  injections: [],
};

/** The linear memory that one instance of a component may have. */
const MEMORY_BYTES = 256 * 1024 * 1024;

export interface ComponentHostOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  /** Milliseconds that one call may take, waiting for the host included. */
  readonly timeoutMs: number;
  /** How many calls of one component may run at the same time; further ones wait. */
  readonly maxConcurrency: number;
}

/** The result of a function, or its own error: the `ok` or the `err` of its WIT `result`. */
export type ComponentResult = { readonly ok: unknown } | { readonly err: unknown };

/** A component that is loaded under a name, with the rights that the policy gives to that name. */
export interface LoadedComponent {
  /** `sha256:` and the SHA-256 of its bytes. */
  readonly digest: string;
  /** The functions that can be called, as WIT names them. */
  readonly functions: readonly string[];
  /**
   * Calls an exported function in a fresh instance, in a thread of this component.
   * @param name as in `functions`
   * @param args in the shape `jco` lowers: strings, numbers, bigints, arrays, objects
   * @throws SvidxError `component_export_unknown`, `component_trapped`, `component_timed_out` or `service_stopping`
   */
  call(name: string, args: readonly unknown[]): Promise<ComponentResult>;
}

export interface ComponentHost {
  /**
   * Compiles a component and gives it a name. Who it is in every later request follows from that name and its bytes.
   * @throws SvidxError `component_invalid`, `component_import_denied` or `service_stopping`
   */
  load(name: string, bytes: Uint8Array): Promise<LoadedComponent>;
  /** Ends all threads. Calls under way fail with `service_stopping`. May be called again. */
  close(): Promise<void>;
}

/**
 * A host for WebAssembly components: each in threads of its own, each call in a fresh instance.
 * @throws SvidxError `usage_invalid` where WebAssembly cannot wait for JavaScript promises
 */
export function createComponentHost(options: ComponentHostOptions): ComponentHost {
  if (WebAssembly.Suspending === undefined) {
    throw new SvidxError('usage_invalid', 'running components needs JavaScript Promise Integration: Node 26 or newer');
  }
  const pools: ThreadPool[] = [];
  const closing = new AbortController();
  const compiling = createCompileCache({ clock: options.clock });
  return {
    async load(name, bytes) {
      const compiled = await compiling.compile(bytes, { memoryBytes: MEMORY_BYTES }, closing.signal);
      checkImports(compiled.imports, GIVEN, name);
      closing.signal.throwIfAborted();
      const caller: Caller = { component: name, digest: compiled.digest };
      const pool = createThreadPool(options.maxConcurrency, () => startThread(compiled, caller, options));
      pools.push(pool);
      return {
        digest: compiled.digest,
        functions: compiled.functions,
        async call(fn, args) {
          if (!compiled.functions.includes(fn)) throw noSuchFunction(fn, compiled.functions);
          return toResult(await pool.use((thread) => thread.run(fn, args)), fn, args.length);
        },
      };
    },
    async close() {
      closing.abort(stopping());
      await compiling.close(stopping());
      await Promise.all(pools.map((pool) => pool.close(stopping())));
    },
  };
}

function startThread(compiled: CompiledComponent, caller: Caller, options: ComponentHostOptions): ComponentThread {
  return startComponentThread({
    compiled,
    remote: HOST_IMPORTS.map(({ name, functions }) => ({
      interface: withoutVersion(name),
      functions: Object.keys(functions),
    })),
    clock: options.clock,
    timeoutMs: options.timeoutMs,
    onImport: (request) => answerImport(request, caller, options.broker),
  });
}

async function answerImport(request: ImportRequest, caller: Caller, broker: Broker): Promise<ImportOutcome> {
  const given = HOST_IMPORTS.find(({ name }) => withoutVersion(name) === request.interface);
  const fn = given?.functions[request.function];
  if (fn === undefined) throw new Error(`no import ${request.interface}#${request.function}`);
  return fn(broker, caller, request.args);
}

function toResult(outcome: FinishedCall, fn: string, given: number): ComponentResult {
  switch (outcome.type) {
    case 'value':
      return { ok: outcome.value };
    case 'error':
      return { err: outcome.payload };
    case 'arguments':
      throw new SvidxError('component_export_unknown', `${fn} takes ${outcome.expected} arguments, not ${given}`);
  }
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
