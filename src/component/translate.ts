import { createHash } from 'node:crypto';
import { SvidxError } from '../base/errors.ts';
import { coreBudget, type LimitedModule, limitCoreModules } from './core-limits.ts';
import { invalidComponent } from './invalid-component.ts';
import { javaScriptName, withoutVersion } from './names.ts';
import { readWorld } from './world.ts';

/** A component as JavaScript and core WebAssembly: what an engine needs to run it, whoever it is and whatever it may do. */
export interface TranslatedComponent {
  /** `sha256:` and the SHA-256 of the component's bytes in hexadecimal. */
  readonly digest: string;
  /** How many bytes all linear memories of one instance may have together. */
  readonly memoryBytes: number;
  /** JavaScript that exports `instantiate`. */
  readonly source: string;
  /** The core modules it instantiates, with their limits written into them, by file name. */
  readonly cores: ReadonlyMap<string, LimitedModule>;
  /** All that it imports, as WIT names it: `package:name/interface@version`, or a plain name. */
  readonly imports: readonly string[];
  /** The names of the plain functions it exports, as in WIT. */
  readonly functions: readonly string[];
  /** The HTTP handler it exports, such as `wasi:http/incoming-handler@0.2.10`; its function is `handle`. */
  readonly httpHandler: string | undefined;
  /** The command it exports, such as `wasi:cli/run@0.2.10`; its function is `run`. */
  readonly command: string | undefined;
}

export interface TranslateOptions {
  /** How many bytes all linear memories of one instance may have together. */
  readonly memoryBytes: number;
}

/** Far above the largest guest seen (StarlingMonkey, 14 MB). */
const MAX_BYTES = 128 * 1024 * 1024;

/** The first eight bytes of a component: magic, version 13, layer 1 (Component Model, Binary, preamble). */
const COMPONENT_PREAMBLE = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);
const CORE_MODULE_PREAMBLE = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

/**
 * Translates a component to JavaScript and core WebAssembly with `jco`. What it may import is not asked here: that is a
 * matter of the policy under whose name it is loaded (`imports/catalogue.ts`).
 * @throws SvidxError `component_invalid`
 */
export async function translateComponent(
  bytes: Uint8Array,
  { memoryBytes }: TranslateOptions,
): Promise<TranslatedComponent> {
  checkPreamble(bytes);
  const [{ transpileBytes }, { componentWit }] = await Promise.all([
    import('@bytecodealliance/jco-transpile'),
    import('@bytecodealliance/jco-transpile/wasm-tools'),
  ]);

  const world = readWorld(await readable(componentWit(bytes)));
  const { files, imports, exports } = await readable(
    transpileBytes(bytes, {
      name: 'component',
      // A component has a thread to itself, so what waits may block it.
      instantiation: { tag: 'sync' },
      wasiShim: false,
      nodejsCompat: false,
      emitTypescriptDeclarations: false,
      noComponentErrorWrapping: false,
      // Every core module is a file, none is written into the JavaScript.
      base64Cutoff: 0,
    }),
  );

  const source = Buffer.from(files['component.js'] ?? '').toString('utf8');
  const cores = new Map(Object.entries(files).filter(([name]) => name.endsWith('.wasm')));
  // What jco will look up is part of what is checked, also where it is no interface of the world.
  const listed = new Set(world.imports.map(withoutVersion));
  const exported = new Set(exports.filter(([, kind]) => kind === 'function').map(([name]) => name));
  return {
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    memoryBytes,
    source,
    cores: limitCoreModules(cores, instanceCounts(source), coreBudget(memoryBytes)),
    imports: [...world.imports, ...imports.filter((name) => !listed.has(name))],
    functions: world.functions.filter((name) => exported.has(javaScriptName(name))),
    httpHandler: world.httpHandler,
    command: world.command,
  };
}

function checkPreamble(bytes: Uint8Array): void {
  const preamble = Buffer.from(bytes.subarray(0, 8));
  if (preamble.equals(CORE_MODULE_PREAMBLE)) {
    throw invalid('it is a core WebAssembly module; expected a component');
  }
  if (!preamble.equals(COMPONENT_PREAMBLE)) throw invalid('it does not begin as a WebAssembly component does');
  if (bytes.length > MAX_BYTES) throw invalid(`it is larger than ${MAX_BYTES} bytes`);
}

/**
 * How often each core module is instantiated, as far as it shows in jco's JavaScript. A component's own names also stand
 * there, and could pretend: `createCoreInstances` counts again, when it happens.
 */
function instanceCounts(source: string): (file: string) => number {
  const variables = new Map(
    [...source.matchAll(/\bconst (module\d+) = getCoreModule\('([^']+)'\);/g)].map(([, name, file]) => [file, name]),
  );
  const uses = [...source.matchAll(/\binstantiateCore\((?:yield )?(module\d+)\b/g)].map(([, name]) => name);
  return (file) => Math.max(1, uses.filter((name) => name === variables.get(file)).length);
}

async function readable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw invalidComponent(error instanceof Error ? error.message : String(error));
  }
}

function invalid(problem: string): SvidxError {
  return new SvidxError('component_invalid', `not a WebAssembly component: ${problem}`);
}
