import type { CompiledComponent } from './compile.ts';
import { type CoreLimits, coreBudget } from './core-limits.ts';

/** What `jco`'s `instantiate` is given to make one instance of a component out of core modules. */
export interface CoreInstances {
  getModule(name: string): WebAssembly.Module;
  instantiate(module: WebAssembly.Module, imports?: WebAssembly.Imports): WebAssembly.Instance;
}

/**
 * The core instances of one instance of a component. Each module has its limits written into it; what is counted here is how
 * many instances are made of each, so that all of them together stay within the budget.
 */
export function createCoreInstances({
  modules,
  limits,
  memoryBytes,
}: Pick<CompiledComponent, 'modules' | 'limits' | 'memoryBytes'>): CoreInstances {
  const known = new Map<WebAssembly.Module, CoreLimits>();
  const left = { ...coreBudget(memoryBytes) };
  return {
    getModule(name) {
      const module = modules.get(name);
      const limit = limits.get(name);
      if (module === undefined || limit === undefined) throw new Error(`no core module ${name}`);
      known.set(module, limit);
      return module;
    },
    instantiate(module, imports) {
      const limit = known.get(module);
      if (limit === undefined) throw new Error('a core module that has no limits');
      left.memoryBytes -= limit.memoryBytes;
      left.tableEntries -= limit.tableEntries;
      if (left.memoryBytes < 0 || left.tableEntries < 0) {
        throw new RangeError('its core modules together may take more memory than the component may have');
      }
      return new WebAssembly.Instance(module, imports);
    },
  };
}
