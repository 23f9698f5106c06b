import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createLogger } from '../../src/base/logger.ts';
import type { ComponentHost, ComponentLimits } from '../../src/component/host.ts';
import { createLoggingHost } from '../../src/logging-host.ts';
import type { Service } from '../../src/service.ts';

export const TEST_LIMITS: ComponentLimits = {
  timeoutMs: 15_000,
  instances: 1,
  maxWaiting: 100,
  memoryBytes: 64 * 1024 ** 2,
};

/** A component host on a service, as `svidx host` has it, for one test. */
export function startServiceHost({ broker, hosting }: Pick<Service, 'broker' | 'hosting'>): ComponentHost {
  const logger = createLogger({ level: 'silent', destination: { write() {} } });
  const host = createLoggingHost({ broker, hosting, clock: systemClock, logger });
  onTestFinished(host.close);
  return host;
}
