import type { Check, CheckStatus } from '../doctor/walk.ts';

/** The mark before each step, and its colour (ECMA-48, select graphic rendition). */
const MARKS: Readonly<Record<CheckStatus, { readonly mark: string; readonly colour: number }>> = {
  ok: { mark: '✓', colour: 32 },
  warn: { mark: '!', colour: 33 },
  fail: { mark: '✗', colour: 31 },
  skip: { mark: '-', colour: 90 },
};

const NAME_WIDTH = 20;

/** One step for a person to read: a line with what was seen, and the advice indented below it. */
export function formatCheck({ name, status, saw, advice, code }: Check, colours: boolean): string {
  const { mark, colour } = MARKS[status];
  const painted = (text: string): string => (colours ? `\u001b[${colour}m${text}\u001b[0m` : text);
  const line = `${painted(`${mark} ${name.padEnd(NAME_WIDTH)}`)} ${code === undefined ? '' : `${code}: `}${saw}`;
  return [line, ...(advice?.split('\n') ?? []).map((text) => `      ${text}`)].join('\n');
}

/** How it went, in one line. */
export function formatSummary(checks: readonly Check[]): string {
  const count = (status: CheckStatus): number => checks.filter((check) => check.status === status).length;
  const first = checks.find(({ status }) => status === 'fail');
  const totals = `${count('ok')} good, ${count('warn')} to look at, ${count('fail')} wrong, ${count('skip')} not looked at.`;
  return `\n${totals}${first === undefined ? '' : ` Begin with ${first.name}.`}`;
}
