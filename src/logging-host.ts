import type { Clock } from './base/clock.ts';
import type { Logger } from './base/logger.ts';
import type { Broker } from './broker/broker.ts';
import type { Hosting } from './broker/hosting.ts';
import type { CompileFolder } from './component/compile-folder.ts';
import { createEgress } from './component/egress/egress.ts';
import { type ComponentHost, createComponentHost } from './component/host.ts';
import type { OutputSink } from './component/host-side.ts';
import { createOutputLines } from './component/output-lines.ts';

export interface LoggingHostOptions {
  readonly broker: Broker;
  readonly hosting: Hosting;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where compiled components outlive this process; without it they do not. */
  readonly compileFolder?: CompileFolder | undefined;
  /** Where a component's stdout and stderr go instead of the log, if that is so now. */
  readonly directOutput?: () => OutputSink | undefined;
}

/** A component host whose components write into the log, each line marked with its component. */
export function createLoggingHost({ directOutput, ...options }: LoggingHostOptions): ComponentHost {
  const { logger } = options;
  return createComponentHost({
    ...options,
    egress: createEgress(options),
    openOutput: ({ component }, given) =>
      directOutput?.() ??
      createOutputLines((stream, line) => {
        logger.info({ event: 'component.output', component, stream, line }, 'a component wrote');
      }, given),
  });
}
