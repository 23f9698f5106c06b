import { systemClock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { type Secret, scrub } from '../base/secret.ts';
import type { Broker } from '../broker/broker.ts';
import { createComponentHost } from '../component/host.ts';
import { readNamedFile } from '../config/read-file.ts';
import { type Credentials, secretsOf } from '../credentials/credentials.ts';
import { durationOption } from './duration-option.ts';
import { brokerAt } from './socket-client.ts';
import type { Terminal } from './terminal.ts';

/** How much of a component's own error is shown. Characters. */
const MAX_ERROR_LENGTH = 4_000;

export interface RunOptions {
  readonly component: string;
  readonly call: string;
  readonly args: string;
  readonly timeout: string;
  readonly socket: string;
  readonly json?: true;
}

/**
 * `svidx run`: calls one function of a component in this process; the component's identity and credentials come from the
 * running service.
 */
export async function run(terminal: Terminal, file: string, options: RunOptions): Promise<void> {
  const args = parseJson(options.args);
  if (!Array.isArray(args)) throw new SvidxError('usage_invalid', '--args: expected a JSON array');
  const timeoutMs = durationOption('--timeout', options.timeout, { min: 1, max: 3600 });
  const bytes = await readNamedFile(file, 'usage_invalid');

  const given: Secret[] = [];
  const host = createComponentHost({
    broker: noting(brokerAt(options.socket), given),
    clock: systemClock,
    timeoutMs,
    maxConcurrency: 1,
  });
  try {
    const component = await host.load(options.component, bytes);
    const result = await component.call(options.call, args);
    if (options.json) terminal.print(toJson(result));
    if ('err' in result) {
      const error = scrub(toJson(result.err), given, MAX_ERROR_LENGTH);
      throw new SvidxError('component_failed', `${options.call} returned an error: ${error}`);
    }
    if (!options.json) terminal.print(toJson(result.ok));
  } finally {
    await host.close();
  }
}

/** The broker, which adds to `given` what it gives: a component may fail with it, and errors end up in logs. */
function noting(broker: Broker, given: Secret[]): Broker {
  const note = (credentials: Credentials): Credentials => {
    given.push(...secretsOf(credentials));
    return credentials;
  };
  return {
    async identity(caller, audience) {
      const svid = await broker.identity(caller, audience);
      given.push(svid.token);
      return svid;
    },
    credentials: async (caller, grant, patience) => note(await broker.credentials(caller, grant, patience)),
    injected: async (caller, grant, patience) => note(await broker.injected(caller, grant, patience)),
  };
}

/**
 * What a component returned, as JSON. WIT's 64-bit integers arrive as bigints and become numbers where a number holds
 * them, else texts; lists of numbers arrive as typed arrays and become arrays; what is not there becomes null.
 */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (item === undefined) return null;
    if (typeof item === 'bigint') return Number.isSafeInteger(Number(item)) ? Number(item) : String(item);
    return ArrayBuffer.isView(item) ? Object.values(item) : item;
  });
}
