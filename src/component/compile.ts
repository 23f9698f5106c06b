import { createHash } from 'node:crypto';
import { SvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';
import { javaScriptName, withoutVersion } from './names.ts';

/** A component made ready to be instantiated any number of times. */
export interface CompiledComponent {
  /** `sha256:` and the SHA-256 of the component's bytes in hexadecimal. */
  readonly digest: string;
  /** JavaScript that exports `instantiate`. */
  readonly source: string;
  /** The core modules it instantiates, by file name. */
  readonly modules: ReadonlyMap<string, WebAssembly.Module>;
  /** The names of the functions it exports, as in WIT. */
  readonly functions: readonly string[];
}

export interface CompileOptions {
  /** The interfaces answered outside the component's thread: `package:name/interface@version`, with their functions. */
  readonly remote: ReadonlyMap<string, readonly string[]>;
  /** The interfaces that are there but empty: `package:name/interface`, of any 0.2 version. */
  readonly empty: ReadonlySet<string>;
}

/** Far above the largest guest seen (StarlingMonkey, 14 MB). */
const MAX_BYTES = 128 * 1024 * 1024;

/** The first eight bytes of a component: magic, version 13, layer 1 (Component Model, Binary, preamble). */
const COMPONENT_PREAMBLE = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);
const CORE_MODULE_PREAMBLE = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

/**
 * Translates a component to JavaScript and core WebAssembly with `jco`, after checking that it imports nothing but what
 * it is given.
 * @throws SvidxError `component_invalid` or `component_import_denied`
 */
export async function compileComponent(bytes: Uint8Array, options: CompileOptions): Promise<CompiledComponent> {
  checkPreamble(bytes);
  const [{ transpileBytes }, { componentWit }] = await Promise.all([
    import('@bytecodealliance/jco-transpile'),
    import('@bytecodealliance/jco-transpile/wasm-tools'),
  ]);

  const wit = await readable(componentWit(bytes));
  const denied = worldImports(wit).filter((name) => !isGiven(name, options));
  if (denied.length > 0) throw importDenied(denied);

  const { files, imports, exports } = await readable(
    transpileBytes(bytes, {
      name: 'component',
      instantiation: { tag: 'async' },
      asyncMode: 'jspi',
      asyncImports: [...options.remote].flatMap(([name, functions]) => functions.map((fn) => `${name}#${fn}`)),
      asyncExports: worldFunctions(wit),
      wasiShim: false,
      nodejsCompat: false,
      emitTypescriptDeclarations: false,
      noComponentErrorWrapping: false,
    }),
  );
  // What jco will look up must be what the check above has seen.
  const given = new Set([...[...options.remote.keys()].map(withoutVersion), ...options.empty]);
  const unexpected = imports.filter((name) => !given.has(name));
  if (unexpected.length > 0) throw importDenied(unexpected);

  const exported = new Set(exports.filter(([, kind]) => kind === 'function').map(([name]) => name));
  const modules = new Map<string, WebAssembly.Module>();
  for (const [name, content] of Object.entries(files)) {
    if (name.endsWith('.wasm')) modules.set(name, await readable(WebAssembly.compile(Buffer.from(content))));
  }
  return {
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    source: Buffer.from(files['component.js'] ?? '').toString('utf8'),
    modules,
    functions: worldFunctions(wit).filter((name) => exported.has(javaScriptName(name))),
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

async function readable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SvidxError('component_invalid', 'not a valid WebAssembly component', { detail: scrub(reason) });
  }
}

/** The imports of the world, as the WIT text of a component lists them: one a line, before its exports. */
function worldImports(wit: string): string[] {
  return [...wit.matchAll(/^ {2}import ([^;{]+?)(?:;|: (?:func|async func|interface)\b)/gm)].map(
    ([, name]) => name ?? '',
  );
}

/** The plain functions that the world exports, in WIT's spelling. */
function worldFunctions(wit: string): string[] {
  return [...wit.matchAll(/^ {2}export ([a-z0-9-]+): (?:async )?func\b/gm)].map(([, name]) => name ?? '');
}

function isGiven(name: string, { remote, empty }: CompileOptions): boolean {
  return remote.has(name) || (empty.has(withoutVersion(name)) && /@0\.2\.\d+$/.test(name));
}

function importDenied(names: readonly string[]): SvidxError {
  return new SvidxError(
    'component_import_denied',
    `the component imports what it is not given: ${names.map((name) => scrub(name)).join(', ')}`,
  );
}

function invalid(problem: string): SvidxError {
  return new SvidxError('component_invalid', `not a WebAssembly component: ${problem}`);
}
