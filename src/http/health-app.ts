import type { RequestListener } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { ERROR_CODES, SvidxError } from '../base/errors.ts';
import type { Health } from '../base/health.ts';
import { sendError, sendJson } from './errors.ts';
import { isRead } from './published-document.ts';

/** The paths of the health checks. */
export const HEALTH_PATHS = { live: '/livez', ready: '/readyz' } as const;

/** The parts that make up the service, by their names. */
export type HealthParts = Readonly<Record<string, () => Health>>;

export interface HealthAppOptions {
  readonly parts: HealthParts;
  /**
   * Components that are hosted here, by their names. One that is down leaves the rest alone: the whole is degraded then. Their
   * names are told where reasons are; else they are one part, `components`.
   */
  readonly components?: HealthParts | undefined;
  readonly clock: Clock;
  /** Whether the reasons are told: they may name files of this machine. Else only what the error code says to everybody. */
  readonly reasons: boolean;
}

/** The body of `/readyz/<part>`, and of each part in `/readyz`. */
export interface PartHealth {
  readonly state: Health['state'];
  readonly code?: Health['code'];
  readonly reason?: string;
  /** Seconds since the part last heard good news; absent: never yet. */
  readonly age?: number;
}

const WORST_FIRST = ['down', 'degraded', 'up'] as const;

/**
 * Health checks: `/livez` says that the process answers, `/readyz` and `/readyz/<part>` whether it can serve: 200, or 503
 * where something is down. What is degraded still serves, and so is ready.
 *
 * A health check needs no particular host, since a kubelet asks by address, and is never too many: with an address shared by
 * many, anybody could make the one that asks for health go without an answer.
 * @param next answers everything else
 */
export function createHealthApp(
  { parts: own, components = {}, clock, reasons }: HealthAppOptions,
  next: RequestListener = nothing,
): RequestListener {
  const hosted = reasons ? withPrefix(components) : together(components);
  const parts: HealthParts = { ...own, ...hosted };

  function describe(health: Health): PartHealth {
    const { state, code, lastGoodAt } = health;
    const reason = reasons ? health.reason : code && ERROR_CODES[code];
    return {
      state,
      ...(code === undefined ? {} : { code }),
      ...(reason === undefined ? {} : { reason }),
      ...(lastGoodAt === undefined ? {} : { age: Math.max(0, Math.floor((clock.now() - lastGoodAt) / 1000)) }),
    };
  }

  function ready(): { state: Health['state']; parts: Readonly<Record<string, PartHealth>> } {
    const described = Object.fromEntries(Object.entries(parts).map(([name, health]) => [name, describe(health())]));
    const states = Object.entries(described).map(([name, { state }]) =>
      state === 'down' && Object.hasOwn(hosted, name) ? 'degraded' : state,
    );
    return { state: worstOf(states), parts: described };
  }

  const checks = new Map<string, () => { state: Health['state'] }>([
    [HEALTH_PATHS.live, () => ({ state: 'up' })],
    [HEALTH_PATHS.ready, ready],
    ...Object.entries(parts).map(
      ([name, health]) => [`${HEALTH_PATHS.ready}/${name}`, () => describe(health())] as const,
    ),
  ]);

  return (request, response) => {
    const { url = '' } = request;
    const query = url.indexOf('?');
    const check = checks.get(query === -1 ? url : url.slice(0, query));
    if (check === undefined) {
      next(request, response);
      return;
    }
    if (!isRead(request)) {
      response.setHeader('Allow', 'GET, HEAD');
      sendError(response, new SvidxError('method_not_allowed', 'this path answers GET and HEAD'));
      return;
    }
    const body = check();
    sendJson(response, body.state === 'down' ? 503 : 200, body);
  };
}

function worstOf(states: readonly Health['state'][]): Health['state'] {
  return WORST_FIRST.find((state) => states.includes(state)) ?? 'up';
}

function withPrefix(components: HealthParts): HealthParts {
  return Object.fromEntries(Object.entries(components).map(([name, health]) => [`component/${name}`, health]));
}

function together(components: HealthParts): HealthParts {
  const all = Object.values(components);
  if (all.length === 0) return {};
  return { components: () => ({ state: worstOf(all.map((health) => health().state)), reason: 'hosted components' }) };
}

const nothing: RequestListener = (_request, response) => {
  sendError(response, new SvidxError('not_found', 'there is nothing at this path'));
};
