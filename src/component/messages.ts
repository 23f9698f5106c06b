import type { CompiledComponent } from './compile.ts';
import type { ImportOutcome } from './host-import.ts';

/** What a worker thread is given when it starts: the component, compiled once by the host. */
export interface WorkerData {
  /** The JavaScript that `jco` made of the component. */
  readonly source: string;
  /** Its core modules, and what they may take. */
  readonly cores: Pick<CompiledComponent, 'modules' | 'limits' | 'memoryBytes'>;
  /** The host imports that are answered outside the thread: interface without version, function names in WIT. */
  readonly remote: readonly { readonly interface: string; readonly functions: readonly string[] }[];
}

export type ToWorker =
  | { readonly type: 'call'; readonly export: string; readonly args: readonly unknown[] }
  | { readonly type: 'import-outcome'; readonly id: number; readonly outcome: ImportOutcome };

export type FromWorker =
  | {
      readonly type: 'import';
      readonly id: number;
      readonly interface: string;
      readonly function: string;
      readonly args: readonly unknown[];
    }
  | { readonly type: 'call-outcome'; readonly outcome: CallOutcome };

/** How a call of an exported function ended, if it came to an end of its own. */
export type FinishedCall =
  | { readonly type: 'value'; readonly value: unknown }
  /** The function's own error: the `err` of its WIT `result`. */
  | { readonly type: 'error'; readonly payload: unknown }
  /** Arguments that do not fit the function; it was not run. */
  | { readonly type: 'arguments'; readonly expected: number };

export type CallOutcome = FinishedCall | { readonly type: 'trap'; readonly message: string };
