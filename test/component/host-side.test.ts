import { beforeEach, describe, expect, test } from 'vitest';
import { createDeferred } from '../../src/base/deferred.ts';
import type { ImportOutcome } from '../../src/component/host-import.ts';
import {
  type ComponentHandlers,
  type ComponentRequest,
  type ComponentResponse,
  createHostSide,
  type HostSide,
  type HttpJob,
} from '../../src/component/host-side.ts';
import type { RequestHead } from '../../src/component/http-messages.ts';
import type { FromWorker, ToWorker } from '../../src/component/messages.ts';
import { settle } from '../fakes/clock.ts';

const HEAD: RequestHead = { method: 'POST', scheme: 'http', authority: 'a', pathWithQuery: '/', headers: [] };
const NO_TIMEOUTS = { connectMs: undefined, firstByteMs: undefined, betweenBytesMs: undefined };

let posted: ToWorker[];
let written: string[];
let handlers: ComponentHandlers;
let side: HostSide;
let failures: unknown[];

beforeEach(() => {
  posted = [];
  written = [];
  failures = [];
  handlers = {
    onImport: async () => ({ ok: 1 }),
    onRequest: async () => ({ response: { status: 200, headers: [] }, body: none(), trailers: async () => undefined }),
    toHttpError: () => ({ tag: 'HTTP-request-denied' }),
    openOutput: () => ({
      write: (stream, bytes) => void written.push(`${stream}: ${Buffer.from(bytes)}`),
      end: () => void written.push('end'),
    }),
  };
  let lastId = -1;
  side = createHostSide(
    {
      onImport: (request) => handlers.onImport(request),
      onRequest: (...request) => handlers.onRequest(...request),
      toHttpError: (error) => handlers.toHttpError(error),
      openOutput: () => handlers.openOutput(),
    },
    (message) => void posted.push(message),
    () => {
      lastId += 2;
      return lastId;
    },
  );
});

async function* none(): AsyncGenerator<Uint8Array> {}

function receive(message: Exclude<FromWorker, { type: 'ready' | 'outcome' }>): void {
  side.receive(message, (error) => void failures.push(error));
}

function request(id: number, body?: number): void {
  receive({ type: 'request', id, request: HEAD, timeouts: NO_TIMEOUTS, body });
}

describe('what comes after an instance has ended', () => {
  test('is not for the next one: the answer to an import', async () => {
    const late = createDeferred<ImportOutcome>();
    handlers.onImport = () => late.promise;
    receive({ type: 'import', id: 2, interface: 'a:b/c', function: 'get', args: [] });
    side.close();
    late.resolve({ ok: 'SECRET-1' });
    await settle();
    expect(posted).toEqual([]);
  });

  test('is not for the next one: the answer to a request, whose signal said so', async () => {
    const late = createDeferred<ComponentResponse>();
    let asked: AbortSignal | undefined;
    handlers.onRequest = (_, signal) => {
      asked = signal;
      return late.promise;
    };
    request(2);
    side.close();
    expect(asked?.aborted).toBe(true);
    let read = false;
    const body = {
      async *[Symbol.asyncIterator]() {
        read = true;
        yield Buffer.from('SECRET-1');
      },
    };
    late.resolve({ response: { status: 200, headers: [['a', 'SECRET-1']] }, body, trailers: async () => undefined });
    await settle();
    expect([posted, read]).toEqual([[], false]);
  });

  test('is not for the next one: its failure, or the body of a request', async () => {
    const late = createDeferred<ComponentResponse>();
    handlers.onRequest = () => late.promise;
    request(2);
    const body = createDeferred<void>();
    side.start({
      ...job(),
      body: (async function* () {
        await body.promise;
        yield Buffer.from('late');
      })(),
    });
    side.close();
    late.reject(new Error('late'));
    body.resolve();
    await settle();
    expect(posted).toEqual([]);
  });

  test('is told where its output goes, once', () => {
    receive({ type: 'output', stream: 'stdout', bytes: Buffer.from('a') });
    receive({ type: 'output', stream: 'stderr', bytes: Buffer.from('b') });
    side.close();
    expect(written).toEqual(['stdout: a', 'stderr: b', 'end']);
  });
});

function job(): HttpJob {
  return { kind: 'http', request: HEAD, body: undefined, trailers: () => undefined, respond() {}, refuse() {} };
}

describe('the answer to a request from outside', () => {
  test('is taken once', () => {
    const answers: unknown[] = [];
    side.start({
      ...job(),
      respond: ({ status }) => void answers.push(status),
      refuse: (tag) => void answers.push(tag),
    });
    receive({ type: 'respond', response: { status: 200, headers: [] }, body: undefined });
    receive({ type: 'respond', response: { status: 201, headers: [] }, body: undefined });
    receive({ type: 'respond-failed', tag: 'HTTP-protocol-error' });
    expect(answers).toEqual([200]);
  });

  test('whose body is not there when the instance ends is broken off', () => {
    const ends: unknown[] = [];
    side.start({ ...job(), respond: (_, body) => void ends.push(() => body?.end) });
    receive({ type: 'respond', response: { status: 200, headers: [] }, body: 2 });
    side.close();
    const [end] = ends;
    expect(typeof end === 'function' && end()).toEqual({ complete: false, error: { tag: 'HTTP-response-incomplete' } });
  });
});

describe("a component's own request", () => {
  test('that fails has its body stopped: whoever still writes it is not kept waiting', async () => {
    handlers.onRequest = () => Promise.reject(new Error('no'));
    request(2, 4);
    await settle();
    expect(posted).toEqual([
      { type: 'response-failed', id: 2, error: { tag: 'HTTP-request-denied' } },
      { type: 'stop', pipe: 4 },
    ]);
  });

  test('that the component gives up is given up', async () => {
    const asked: [ComponentRequest, AbortSignal][] = [];
    handlers.onRequest = (...question) => {
      asked.push(question);
      return new Promise((_, reject) => {
        question[1].addEventListener('abort', () => reject(question[1].reason));
      });
    };
    request(2);
    request(4);
    receive({ type: 'request-dropped', id: 2 });
    receive({ type: 'request-dropped', id: 99 });
    await settle();
    expect(asked.map(([, { aborted }]) => aborted)).toEqual([true, false]);
  });

  test('is answered with head, body and trailers, each under its own number', async () => {
    handlers.onRequest = async ({ body, trailers }) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body ?? []) chunks.push(chunk);
      const answer = { response: { status: 200, headers: [] }, body: each(Buffer.concat(chunks)) };
      return { ...answer, trailers: async () => trailers() };
    };
    request(2, 4);
    receive({ type: 'data', pipe: 4, chunk: Uint8Array.of(1, 2) });
    receive({ type: 'end', pipe: 4, trailers: [['a', 'b']] });
    await settle();
    expect(posted).toEqual([
      { type: 'response', id: 2, response: { status: 200, headers: [] }, body: 1 },
      { type: 'data', pipe: 1, chunk: Uint8Array.of(1, 2) },
      { type: 'end', pipe: 1, trailers: [['a', 'b']] },
    ]);
  });
});

async function* each(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

test('a defect of ours in an import is told to whoever runs the thread', async () => {
  const defect = new Error('ours');
  handlers.onImport = () => Promise.reject(defect);
  receive({ type: 'import', id: 2, interface: 'a:b/c', function: 'get', args: [] });
  await settle();
  expect([posted, failures]).toEqual([[], [defect]]);
});
