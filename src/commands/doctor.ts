import { userInfo } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { examine } from '../doctor/doctor.ts';
import type { Check } from '../doctor/walk.ts';
import { formatCheck, formatSummary } from './doctor-report.ts';
import { EXIT_CODE } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

export interface DoctorOptions {
  readonly config: string;
  readonly component?: string;
  readonly grant?: string;
  readonly json?: true;
}

/** What a person waits for without wondering whether anything still happens. Milliseconds. */
const LIMIT_MS = 10_000;

/**
 * `svidx doctor`: says of each step between here and the clouds what it saw, whether that is good, and what to do if not.
 * Exit code 0 when nothing failed, 2 when what the user wrote is what failed first, else 1.
 */
export async function doctor(terminal: Terminal, options: DoctorOptions): Promise<void> {
  if (options.grant !== undefined && options.component === undefined) {
    throw new SvidxError('usage_invalid', '--grant: needs --component');
  }
  const checks: Check[] = [];
  const world = {
    clock: systemClock,
    random: Math.random,
    env: terminal.env,
    uid: userInfo().uid,
    limitMs: LIMIT_MS,
  };
  await examine(options, world, (check) => {
    checks.push(check);
    if (!options.json) terminal.print(formatCheck(check, terminal.colours));
  });
  const failure = checks.find(({ status }) => status === 'fail');
  terminal.print(options.json ? JSON.stringify({ ok: failure === undefined, checks }) : formatSummary(checks));
  if (failure !== undefined) terminal.exitWith(EXIT_CODE[failure.code ?? 'internal_error']);
}
