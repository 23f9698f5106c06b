import type { Broker } from '../broker/broker.ts';
import type { Caller } from '../policy/evaluate.ts';

/** What a host import answers: a value, or the error of its WIT `result`, both in the shape `jco` lowers. */
export type ImportOutcome = { readonly ok: unknown } | { readonly err: unknown };

/**
 * An interface that the host gives to components and answers itself, outside the component's thread.
 *
 * Who asks is fixed when the component is loaded; nothing a component sends can change it.
 */
export interface HostImport {
  /** `package:name/interface@version`, matched exactly. */
  readonly name: string;
  /** By the function's name in WIT. Takes what the component sent, unchecked, and never throws. */
  readonly functions: Readonly<
    Record<string, (broker: Broker, caller: Caller, args: readonly unknown[]) => Promise<ImportOutcome>>
  >;
}

/** The one argument of a function that takes a string. Lifting already guarantees it; this is the type's proof. */
export function stringArgument(args: readonly unknown[]): string {
  const [value] = args;
  if (typeof value !== 'string') throw new TypeError('expected one string');
  return value;
}
