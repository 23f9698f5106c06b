import { parseByteSize } from '../base/byte-size.ts';
import { parseDuration } from '../base/duration.ts';

/** What one component may use of its host, as it is written. */
export interface ComponentLimitTexts {
  readonly timeout: string;
  readonly memory: string;
  readonly instances: number;
}

/** What one component may use of its host. */
export interface ParsedComponentLimits {
  /** Milliseconds that one call may take, and wait for its turn. */
  readonly timeoutMs: number;
  /** How many calls may run at the same time. */
  readonly instances: number;
  /** How many further calls may wait. */
  readonly maxWaiting: number;
  /** Bytes of linear memory of one instance. */
  readonly memoryBytes: number;
}

export const DEFAULT_COMPONENT_LIMITS: ComponentLimitTexts = { timeout: '30s', memory: '256MiB', instances: 8 };

/** Four full rounds of instances may wait: beyond that, somebody who is told at once is better off. */
const WAITING_PER_INSTANCE = 16;

const MAX_INSTANCES = 256;
const MAX_TIMEOUT_S = 3600;
const MIN_MEMORY = 1024 ** 2;
/** All that a 32-bit memory can have. */
const MAX_MEMORY = 4 * 1024 ** 3;

/** @returns the limits, or which of them is wrong and what was expected */
export function parseComponentLimits({
  timeout,
  memory,
  instances,
}: ComponentLimitTexts): ParsedComponentLimits | { readonly key: keyof ComponentLimitTexts; readonly problem: string } {
  const seconds = parseDuration(timeout);
  if (seconds === undefined || seconds > MAX_TIMEOUT_S) {
    return { key: 'timeout', problem: 'expected a duration of 1s to 1h, such as 30s' };
  }
  const memoryBytes = parseByteSize(memory);
  if (memoryBytes === undefined || memoryBytes < MIN_MEMORY || memoryBytes > MAX_MEMORY) {
    return { key: 'memory', problem: 'expected a size of 1MiB to 4GiB, such as 256MiB' };
  }
  if (!Number.isInteger(instances) || instances < 1 || instances > MAX_INSTANCES) {
    return { key: 'instances', problem: `expected a whole number of 1 to ${MAX_INSTANCES}` };
  }
  return { timeoutMs: seconds * 1000, memoryBytes, instances, maxWaiting: instances * WAITING_PER_INSTANCE };
}
