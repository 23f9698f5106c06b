import type { Clock } from '../../src/base/clock.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createHosting } from '../../src/broker/hosting.ts';
import { createEgress } from '../../src/component/egress/egress.ts';
import { EgressError, type HttpErrorCode } from '../../src/component/egress/error-code.ts';
import type { Fields, IncomingResponse, OutgoingRequest } from '../../src/component/egress/outgoing-request.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createFakeBroker, type FakeBroker } from '../fakes/broker.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';

export interface EgressWorldOptions {
  /** The lines of the policy below those that say who the component is. */
  readonly policy?: string;
  /** What names resolve to; others are not found. */
  readonly names?: Record<string, readonly string[]>;
  readonly clock?: Clock;
  readonly ca?: string;
}

/** The way out of one component, with its policy and the names of its world in the test's hands. */
export interface EgressWorld {
  readonly broker: FakeBroker;
  readonly log: MemoryLog;
  /** The names that were looked up, in order. */
  readonly lookups: readonly string[];
  readonly names: Record<string, readonly string[]>;
  setPolicy(lines: string): void;
  /** Sends a request to `http://api.test/`, but for what is said; gives the answer with its body to be read. */
  open(request: Partial<OutgoingRequest>, signal?: AbortSignal, component?: string): Promise<IncomingResponse>;
  /** The same, read to its end. */
  send(request: Partial<OutgoingRequest>): Promise<ReadAnswer>;
  /** The error code that the request ends with, at its head or in its body. */
  refusal(request: Partial<OutgoingRequest>, signal?: AbortSignal): Promise<HttpErrorCode>;
}

export interface ReadAnswer {
  readonly status: number;
  /** Names in lower case, values as Latin-1. */
  readonly headers: readonly (readonly [string, string])[];
  readonly text: string;
  readonly trailers: readonly (readonly [string, string])[] | undefined;
}

export function openEgressWorld(options: EgressWorldOptions = {}): EgressWorld {
  const broker = createFakeBroker();
  const log = createMemoryLog();
  const names = { ...options.names };
  const lookups: string[] = [];
  const clock = options.clock ?? systemClock;
  let policies = compile(options.policy ?? '');
  const egress = createEgress({
    hosting: createHosting({ policies: () => policies, clock, logger: log.logger }),
    broker,
    clock,
    logger: log.logger,
    async lookup(host) {
      lookups.push(host);
      const found = names[host];
      if (found === undefined) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
      return found;
    },
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });

  const world: EgressWorld = {
    broker,
    log,
    lookups,
    names,
    setPolicy: (lines) => {
      policies = compile(lines);
    },
    open: (request, signal = new AbortController().signal, component = 'api') =>
      egress.send({ component }, { ...PLAIN_REQUEST, ...request }, signal),
    send: async (request) => readAnswer(await world.open(request)),
    async refusal(request, signal) {
      try {
        await readAnswer(await world.open(request, signal));
      } catch (error) {
        if (error instanceof EgressError) return error.errorCode;
        throw error;
      }
      throw new Error('expected an EgressError, but there was an answer');
    },
  };
  return world;
}

/** `GET http://api.test/`. */
export const PLAIN_REQUEST: OutgoingRequest = {
  method: 'GET',
  scheme: 'http',
  authority: 'api.test',
  pathWithQuery: '/',
  headers: [],
  body: undefined,
  trailers: async () => undefined,
  connectTimeoutMs: undefined,
  firstByteTimeoutMs: undefined,
  betweenBytesTimeoutMs: undefined,
};

export async function readAnswer(response: IncomingResponse): Promise<ReadAnswer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  const trailers = await response.trailers();
  return {
    status: response.status,
    headers: asText(response.headers),
    text: Buffer.concat(chunks).toString('utf8'),
    trailers: trailers && asText(trailers),
  };
}

/** Fields of text. */
export function fields(...pairs: readonly (readonly [string, string])[]): Fields {
  return pairs.map(([name, value]) => [name, Buffer.from(value, 'latin1')]);
}

/** A body in these parts. */
export async function* bodyOf(...parts: readonly string[]): AsyncGenerator<Uint8Array, void> {
  for (const part of parts) yield Buffer.from(part);
}

function asText(list: Fields): [string, string][] {
  return list.map(([name, value]) => [name.toLowerCase(), Buffer.from(value).toString('latin1')]);
}

function compile(lines: string) {
  const text = `
component: api
spiffeId: spiffe://example.org/api
selectors: [wasmcloud:component:api]
wasi: [clocks]
${lines}
`;
  return compilePolicies([{ file: 'api.yaml', text }], TrustDomain.parse('example.org'));
}
