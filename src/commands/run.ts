import { basename } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { createLogger, type Logger } from '../base/logger.ts';
import { scrub } from '../base/secret.ts';
import type { LoadedComponent } from '../component/host.ts';
import type { OutputSink } from '../component/host-side.ts';
import { type ParsedComponentLimits, parseComponentLimits } from '../config/component-limits.ts';
import { type ListenAddress, parseListenAddress } from '../config/listen-address.ts';
import { readNamedFile } from '../config/read-file.ts';
import { createComponentHttp } from '../http/component-http.ts';
import { createHostingClient } from '../http/hosting-client.ts';
import { COMPONENT_LIMITS, listenOnTcp } from '../http/listener.ts';
import { createLoggingHost } from '../logging-host.ts';
import { brokerAt, brokerSocketPath } from './socket-client.ts';
import type { Terminal } from './terminal.ts';

/** How much of a component's own error is shown. Characters. */
const MAX_ERROR_LENGTH = 4_000;

export interface RunOptions {
  readonly component: string;
  readonly call?: string;
  readonly args: string;
  readonly listen: string;
  readonly timeout: string;
  readonly memory: string;
  readonly instances: string;
  readonly socket: string;
  readonly json?: true;
}

/**
 * `svidx run`: runs a component in this process by what it exports: an HTTP handler until SIGTERM or SIGINT, a command once,
 * or one function. Its identity, its credentials and its rights come from the running service.
 * @param words the arguments of a command
 */
export async function run(
  terminal: Terminal,
  file: string,
  words: readonly string[],
  options: RunOptions,
): Promise<void> {
  const args = parseJson(options.args);
  if (!Array.isArray(args)) throw new SvidxError('usage_invalid', '--args: expected a JSON array');
  const listen = parseListen(options.listen);
  const limits = parseLimits(options);
  const bytes = await readNamedFile(file, 'usage_invalid');

  let direct: OutputSink | undefined;
  const logger = createLogger({ level: 'info', destination: terminal.logDestination });
  const host = createLoggingHost({
    broker: brokerAt(options.socket),
    hosting: createHostingClient(brokerSocketPath(options.socket)),
    clock: systemClock,
    logger,
    directOutput: () => direct,
  });
  try {
    const component = await host.load(options.component, bytes, limits);
    if (options.call === undefined && component.isHttpHandler) {
      await serveHttp(terminal, component, listen, options, logger);
    } else if (options.call === undefined && component.isCommand) {
      // What a command writes is its result.
      direct = { write: terminal.writeRaw, end() {} };
      // The first argument is the program's name, as POSIX has it (execve) and as what languages make of it assumes.
      terminal.exitWith(await component.run([basename(file), ...words]));
    } else {
      await callFunction(terminal, component, options.call ?? 'run', args, options.json);
    }
  } finally {
    await host.close();
  }
}

async function serveHttp(
  terminal: Terminal,
  component: LoadedComponent,
  listen: ListenAddress,
  { component: name, json }: RunOptions,
  logger: Logger,
): Promise<void> {
  const stopped = terminal.stopped();
  const listener = await listenOnTcp(listen, systemClock, undefined, COMPONENT_LIMITS);
  listener.handle(createComponentHttp({ name, component, scheme: 'http', clock: systemClock, logger }));
  const { url } = listener;
  const { digest } = component;
  terminal.print(
    json ? JSON.stringify({ ready: true, component: name, digest, url }) : `svidx runs ${name} (${digest}) at ${url}`,
  );
  await stopped;
  await listener.close();
}

async function callFunction(
  terminal: Terminal,
  component: LoadedComponent,
  name: string,
  args: readonly unknown[],
  json: true | undefined,
): Promise<void> {
  const result = await component.call(name, args);
  if (json) terminal.print(toJson(result));
  if ('err' in result) {
    const error = scrub(toJson(result.err), component.givenSecrets(), MAX_ERROR_LENGTH);
    throw new SvidxError('component_failed', `${name} returned an error: ${error}`);
  }
  if (!json) terminal.print(toJson(result.ok));
}

function parseListen(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address !== undefined) return address;
  throw new SvidxError('usage_invalid', '--listen: expected an IP address and a port, such as 127.0.0.1:8000');
}

function parseLimits({ timeout, memory, instances }: RunOptions): ParsedComponentLimits {
  const limits = parseComponentLimits({ timeout, memory, instances: /^\d+$/.test(instances) ? Number(instances) : 0 });
  if ('problem' in limits) throw new SvidxError('usage_invalid', `--${limits.key}: ${limits.problem}`);
  return limits;
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
