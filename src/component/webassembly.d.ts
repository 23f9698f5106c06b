/** The part of the WebAssembly JavaScript API that the host uses; `lib.dom` has it, with a browser around it. */
declare namespace WebAssembly {
  class Module {
    static imports(module: Module): readonly { readonly module: string; readonly name: string }[];
    static exports(module: Module): readonly { readonly name: string }[];
    readonly [Symbol.toStringTag]: string;
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Readonly<Record<string, unknown>>;
  }
  type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  function compile(bytes: Uint8Array): Promise<Module>;
}
