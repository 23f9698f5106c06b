import { invalidComponent } from './invalid-component.ts';

/**
 * The characters of names that toolchains give: those of the component model (`[method]fields.get`, `a:b/c@0.2.0#d`), of
 * symbols (`_ZN3foo`, `$x`), of generics. Among them is none that ends or escapes a text of JavaScript, or opens anything in it.
 */
const PLAIN_NAME = /^[A-Za-z0-9 _$.:/@#[\]<>=+,%!?&~^|()-]*$/;

/**
 * Refuses a core module that imports or exports by a name that could be more than a name in JavaScript. The names of core
 * modules are free (WebAssembly Core Specification, section 5.2.4: any UTF-8), and `jco` writes them between quotes as they
 * are: one with a quote in it would have the thread run whatever follows, as JavaScript, with all that Node can do.
 *
 * The engine is asked, not the bytes: what it finds in a module is all that there is.
 * @throws SvidxError `component_invalid`
 */
export function checkCoreNames(module: WebAssembly.Module): void {
  const names = [
    ...WebAssembly.Module.imports(module).flatMap((one) => [one.module, one.name]),
    ...WebAssembly.Module.exports(module).map(({ name }) => name),
  ];
  const odd = names.find((name) => !PLAIN_NAME.test(name));
  if (odd === undefined) return;
  throw invalidComponent(`a core module has a name that this host does not take: ${JSON.stringify(odd)}`);
}
