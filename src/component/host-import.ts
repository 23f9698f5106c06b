import type { Broker } from '../broker/broker.ts';
import type { Hosting } from '../broker/hosting.ts';
import type { Caller } from '../policy/evaluate.ts';

/** What a host import answers: a value, or the error of its WIT `result`, both in the shape `jco` lowers. */
export type ImportOutcome = { readonly ok: unknown } | { readonly err: unknown };

/** Who asks, fixed when the component is loaded: nothing that a component sends can change it. And who answers. */
export interface ImportContext {
  readonly caller: Caller;
  readonly broker: Broker;
  readonly hosting: Hosting;
}

/** An interface that the host gives to components and answers itself, outside the component's thread. */
export interface HostImport {
  /** `package:name/interface`, without version. */
  readonly name: string;
  /** By the function's name in WIT. Takes what the component sent, unchecked, and never throws. */
  readonly functions: Readonly<
    Record<string, (context: ImportContext, args: readonly unknown[]) => Promise<ImportOutcome>>
  >;
}

/** The one argument of a function that takes a string. Lifting already guarantees it; this is the type's proof. */
export function stringArgument(args: readonly unknown[]): string {
  const [value] = args;
  if (typeof value !== 'string') throw new TypeError('expected one string');
  return value;
}
