import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { systemErrorCode } from './read-file.ts';

/**
 * Opens a connection to a unix socket and closes it again, having said nothing.
 * @param limitMs milliseconds
 * @returns `undefined` when there was one, else the system's error code, such as `ECONNREFUSED`; `ETIMEDOUT` after the limit
 */
export function canConnect(path: string, clock: Clock, limitMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const settle = (code: string | undefined): void => {
      timer.cancel();
      probe.destroy();
      resolve(code);
    };
    const timer = clock.after(limitMs, () => settle('ETIMEDOUT'));
    probe.once('connect', () => settle(undefined));
    probe.on('error', (error) => settle(systemErrorCode(error)));
  });
}
