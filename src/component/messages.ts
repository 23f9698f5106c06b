import type { CompiledComponent } from './compile.ts';
import type { HttpErrorCode } from './egress/error-code.ts';
import type { ImportOutcome } from './host-import.ts';
import type { RequestHead, RequestTimeouts, ResponseHead } from './http-messages.ts';
import type { PipeMessage } from './pipes.ts';

/** What a worker thread is given when it starts: the component, compiled once by the host. */
export interface WorkerData {
  /** The JavaScript that `jco` made of the component. */
  readonly source: string;
  /** Its core modules, and what they may take. */
  readonly cores: Pick<CompiledComponent, 'modules' | 'limits' | 'memoryBytes'>;
  /** The interfaces that are answered outside the thread: without version, with function names in WIT. */
  readonly remote: readonly { readonly interface: string; readonly functions: readonly string[] }[];
  /**
   * Two 32-bit integers, shared: `SENT` counts the messages that the host has sent, and a thread whose component waits sleeps
   * on it; `HANDLED` counts the batches that the host has handled, and a thread that is too far ahead sleeps on that.
   */
  readonly counters: SharedArrayBuffer;
}

/** The indexes of `WorkerData.counters`. */
export const SENT = 0;
export const HANDLED = 1;

/** What a component can be asked for. */
export type Job =
  | { readonly kind: 'function'; readonly name: string; readonly args: readonly unknown[] }
  /** `body` is the pipe it comes through, if there is one. */
  | { readonly kind: 'http'; readonly request: RequestHead; readonly body: number | undefined }
  | { readonly kind: 'command'; readonly args: readonly string[] };

export type ToWorker =
  /** `id` counts the jobs of a thread. */
  | { readonly type: 'job'; readonly id: number; readonly job: Job }
  /** Nobody wants the answer any more: whatever the component asks for next ends it. */
  | { readonly type: 'cancel'; readonly job: number }
  | { readonly type: 'import-outcome'; readonly id: number; readonly outcome: ImportOutcome }
  | { readonly type: 'response'; readonly id: number; readonly response: ResponseHead; readonly body: number }
  | { readonly type: 'response-failed'; readonly id: number; readonly error: HttpErrorCode }
  | PipeMessage;

export type FromWorker =
  /** An instance is there for the next job. */
  | { readonly type: 'ready' }
  | {
      readonly type: 'import';
      readonly id: number;
      readonly interface: string;
      readonly function: string;
      readonly args: readonly unknown[];
    }
  /** The component's own HTTP request to somewhere. */
  | {
      readonly type: 'request';
      readonly id: number;
      readonly request: RequestHead;
      readonly timeouts: RequestTimeouts;
      readonly body: number | undefined;
    }
  /** It does not wait for the answer any more. */
  | { readonly type: 'request-dropped'; readonly id: number }
  /** The component's answer to the HTTP request it was asked. */
  | { readonly type: 'respond'; readonly response: ResponseHead; readonly body: number | undefined }
  | { readonly type: 'respond-failed'; readonly tag: HttpErrorCode['tag'] }
  | { readonly type: 'output'; readonly stream: OutputName; readonly bytes: Uint8Array }
  | { readonly type: 'outcome'; readonly outcome: CallOutcome }
  | PipeMessage;

/** Several at once, in order. */
export type FromWorkerBatch = readonly FromWorker[];

export type OutputName = 'stdout' | 'stderr';

/** How a job ended, if it came to an end of its own. */
export type FinishedCall =
  | { readonly type: 'value'; readonly value: unknown }
  /** The function's own error: the `err` of its WIT `result`. */
  | { readonly type: 'error'; readonly payload: unknown }
  /** Arguments that do not fit the function; it was not run. */
  | { readonly type: 'arguments'; readonly expected: number }
  /** A command that came to its end, or called exit. */
  | { readonly type: 'exit'; readonly code: number };

export type CallOutcome = FinishedCall | { readonly type: 'trap'; readonly message: string };
