/** The part of the WebAssembly JavaScript API that the host uses; `lib.dom` has it, with a browser around it. */
declare namespace WebAssembly {
  class Module {
    readonly [Symbol.toStringTag]: string;
  }
  class Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  function compile(bytes: Uint8Array): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  /** JavaScript Promise Integration: there from V8 13.7 (Node 25) on. */
  const Suspending: (new (fn: (...args: never[]) => Promise<unknown>) => object) | undefined;
}
