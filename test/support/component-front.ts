import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { LoadedComponent } from '../../src/component/host.ts';
import { createComponentHttp } from '../../src/http/component-http.ts';
import { COMPONENT_LIMITS, listenOnTcp } from '../../src/http/listener.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import type { ServerUrl } from './http.ts';

/** HTTP in front of a component, on a port of its own. */
export interface ComponentFront {
  readonly url: ServerUrl;
  readonly log: MemoryLog;
  /** The components' failures that were logged: their codes. */
  failures(): unknown[];
  close(): Promise<void>;
}

export async function startFront(
  name: string,
  component: Pick<LoadedComponent, 'serve'>,
  clock: Clock = systemClock,
): Promise<ComponentFront> {
  const log = createMemoryLog();
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock, undefined, COMPONENT_LIMITS);
  listener.handle(createComponentHttp({ name, component, scheme: 'http', clock, logger: log.logger }));
  return {
    url: listener.url,
    log,
    failures: () =>
      log
        .entries()
        .filter(({ event }) => event === 'component.request_failed')
        .map(({ error }) => Object(error).code),
    close: listener.close,
  };
}
