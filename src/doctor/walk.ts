import { type ErrorCode, type SvidxError, toSvidxError } from '../base/errors.ts';
import { scrub } from '../base/secret.ts';

/** `ok`: as it should be. `warn`: it works, or may work, but look at it. `fail`: it is wrong. `skip`: not looked at. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'skip';

/** What one step has to say; `svidx doctor --json` prints it as it is. Holds no secret. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  /** One line. */
  readonly saw: string;
  /** What to do, where something is to be done; may have several lines. */
  readonly advice?: string;
  readonly code?: ErrorCode;
}

/** What a step found, and what it leaves for the steps after it. Something that failed leaves nothing. */
export type Finding<T> =
  | { readonly status: 'ok'; readonly saw: string; readonly value: T }
  | { readonly status: 'warn'; readonly saw: string; readonly advice: string; readonly value: T }
  | { readonly status: 'fail'; readonly saw: string; readonly advice: string; readonly code?: ErrorCode };

/** What became of a step: its value, or the name of the step without which there is none. */
export type Outcome<T> =
  | { readonly done: true; readonly value: T }
  | {
      readonly done: false;
      readonly because: string;
      readonly code?: ErrorCode | undefined;
      /** Why there is nothing to look at, where nothing failed. */
      readonly absent?: string;
    };

/** What a step needs that needs nothing. */
export const NOTHING: Outcome<undefined> = { done: true, value: undefined };

/** Long enough for a list of policy problems, or for the longest command that is advised. Characters. */
const MAX_LINE_LENGTH = 5_000;

/** Takes the steps one after the other and reports each as soon as it is done. */
export interface Walk {
  /**
   * Takes a step, unless what it needs failed, or is not there: then it is reported as `skip`, with the reason.
   * Never throws: what `look` throws is a failure of this step.
   */
  step<N, T>(
    name: string,
    needs: Outcome<N>,
    look: (needed: N) => Finding<T> | Promise<Finding<T>>,
  ): Promise<Outcome<T>>;
}

/** @param report called once for each step, in order */
export function createWalk(report: (check: Check) => void): Walk {
  return {
    async step(name, needs, look) {
      if (!needs.done) {
        report({ name, status: 'skip', saw: needs.absent ?? `not looked at, since ${needs.because} failed` });
        return needs;
      }
      const found = await Promise.resolve(needs.value)
        .then(look)
        .catch((error: unknown) => failed(error, 'This is a defect of svidx: please report it.'));
      report(checkOf(name, found));
      if (found.status !== 'fail') return { done: true, value: found.value };
      return { done: false, because: name, code: found.code };
    },
  };
}

export function ok(saw: string): Finding<undefined>;
export function ok<T>(saw: string, value: T): Finding<T>;
export function ok(saw: string, value?: unknown): Finding<unknown> {
  return { status: 'ok', saw, value };
}

/** A failure with the code, the message and the detail of this error. */
export function failed(error: unknown, advice: string): Finding<never> {
  const { code, message, detail }: SvidxError = toSvidxError(error);
  return { status: 'fail', saw: detail === undefined ? message : `${message} (${detail})`, advice, code };
}

/** What follows from a value, where there is one. */
export function after<A, B>(outcome: Outcome<A>, follow: (value: A) => B): Outcome<B> {
  return outcome.done ? { done: true, value: follow(outcome.value) } : outcome;
}

/** The values of both, or what the first of them failed for. */
export function both<A, B>(a: Outcome<A>, b: Outcome<B>): Outcome<readonly [A, B]> {
  if (!a.done) return a;
  return b.done ? { done: true, value: [a.value, b.value] } : b;
}

/** What there is of two values, or what the first failed for where there is neither. */
export function either<A, B>(a: Outcome<A>, b: Outcome<B>): Outcome<readonly [A | undefined, B | undefined]> {
  if (!a.done && !b.done) return a;
  return { done: true, value: [a.done ? a.value : undefined, b.done ? b.value : undefined] };
}

/** Much of what a step saw was said by others: it is made fit for a terminal here, in one place. */
function checkOf(name: string, found: Finding<unknown>): Check {
  const saw = scrub(found.saw.replaceAll('\n', '; '), [], MAX_LINE_LENGTH);
  if (found.status === 'ok') return { name, status: 'ok', saw };
  const lines = found.advice.split('\n').map((line) => scrub(line, [], MAX_LINE_LENGTH));
  const check = { name, status: found.status, saw, advice: lines.join('\n') };
  return found.status === 'fail' && found.code !== undefined ? { ...check, code: found.code } : check;
}
