import type { ErrorCode } from './errors.ts';

/** How a part of the service is doing, as its health check shows it. */
export interface Health {
  /** `up`: as it should be. `degraded`: it serves from what it has. `down`: it cannot serve. */
  readonly state: 'up' | 'degraded' | 'down';
  /** One sentence for the operator: what was seen, and where it is not `up` what is wrong. May name files, never a secret. */
  readonly reason: string;
  /** What is wrong, as one of the closed list, for those who may not see the reason. */
  readonly code?: ErrorCode;
  /** When the part last heard good news from what it depends on, in milliseconds since 1970; absent: never yet. */
  readonly lastGoodAt?: number;
}
