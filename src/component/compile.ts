import type { CoreLimits } from './core-limits.ts';
import { checkCoreNames } from './core-names.ts';
import { invalidComponent } from './invalid-component.ts';
import { type TranslatedComponent, type TranslateOptions, translateComponent } from './translate.ts';

/** A component made ready to be instantiated any number of times, in any thread, whoever it is and whatever it may do. */
export interface CompiledComponent extends Omit<TranslatedComponent, 'cores'> {
  /** The core modules it instantiates, by file name. */
  readonly modules: ReadonlyMap<string, WebAssembly.Module>;
  /** What one instance of each of them may take, by file name. */
  readonly limits: ReadonlyMap<string, CoreLimits>;
}

/**
 * Compiles a component in this thread. A hostile one can make the translator panic, and then it serves no other: where that
 * matters, `createCompileCache`.
 * @throws SvidxError `component_invalid`
 */
export async function compileComponent(bytes: Uint8Array, options: TranslateOptions): Promise<CompiledComponent> {
  return compileTranslated(await translateComponent(bytes, options));
}

/**
 * Compiles the core modules of a component, behind what this thread does.
 * @throws SvidxError `component_invalid` where the engine refuses one, or it has names that could be code
 */
export async function compileTranslated({ cores, ...translated }: TranslatedComponent): Promise<CompiledComponent> {
  const modules = await Promise.all(
    [...cores].map(async ([name, { bytes }]) => [name, await compileModule(bytes)] as const),
  );
  return {
    ...translated,
    modules: new Map(modules),
    limits: new Map([...cores].map(([name, { limits }]) => [name, limits])),
  };
}

async function compileModule(bytes: Uint8Array): Promise<WebAssembly.Module> {
  let module: WebAssembly.Module;
  try {
    module = await WebAssembly.compile(bytes);
  } catch (error) {
    throw invalidComponent(error instanceof Error ? error.message : String(error));
  }
  // Here, where also those come by that were translated earlier and kept on disk.
  checkCoreNames(module);
  return module;
}
