import { describe, expect, onTestFinished, test } from 'vitest';
import { createDeferred } from '../../src/base/deferred.ts';
import { SvidxError } from '../../src/base/errors.ts';
import type { ComponentHandlers, ImportRequest } from '../../src/component/host-side.ts';
import { type ComponentThread, startComponentThread, type ThreadJob } from '../../src/component/thread.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { refusal } from '../support/errors.ts';

/** Answers each import with its arguments; nothing may leave, and what is written goes nowhere. */
const HANDLERS: ComponentHandlers = {
  onImport: async ({ args }) => ({ ok: args }),
  onRequest: () => Promise.reject(new Error('nothing may leave')),
  toHttpError: () => ({ tag: 'HTTP-request-denied' }),
  openOutput: () => ({ write() {}, end() {} }),
};

interface ThreadOptions {
  readonly clock?: FakeClock;
  readonly onImport?: ComponentHandlers['onImport'];
  readonly onRequest?: ComponentHandlers['onRequest'];
  /** Runs when an instance is made. */
  readonly start?: string;
}

/**
 * A thread whose component is JavaScript written here instead of by jco: what a component could only do by breaking out of
 * WebAssembly, these functions simply do.
 */
function startThread(functions: string, { clock, start = '', ...handlers }: ThreadOptions = {}): ComponentThread {
  const thread = startComponentThread({
    compiled: {
      digest: 'sha256:0',
      source: `export function instantiate(getModule, imports) { ${start}; return { ${functions} }; }`,
      modules: new Map(),
      limits: new Map(),
      memoryBytes: 0,
      imports: [],
      functions: [],
      httpHandler: undefined,
      command: undefined,
    },
    remote: [{ interface: 'test:host/store', functions: ['get', 'list-keys'] }],
    handlers: { ...HANDLERS, ...handlers },
    clock: clock ?? createFakeClock(),
    timeoutMs: 5_000,
  });
  onTestFinished(() => thread.end(new SvidxError('service_stopping', 'the test is over')));
  return thread;
}

function call(name: string, ...args: unknown[]): ThreadJob {
  return { kind: 'function', name, args };
}

const stopping = new SvidxError('service_stopping', 'enough');

/** A function that never comes back, and takes no processor for it. */
const HANG = 'hang: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)';

describe('what a thread holds', () => {
  test('no variable, no flag and no input of this process', async () => {
    process.env['SVIDX_TEST_SECRET'] = 'SECRET-1';
    try {
      const thread = startThread(`
        env: () => Object.keys(process.env),
        flags: () => process.execArgv,
        input: () => process.stdin.read(),
      `);
      expect(await thread.run(call('env'))).toEqual({ type: 'value', value: [] });
      expect(await thread.run(call('flags'))).toEqual({ type: 'value', value: [] });
      expect(await thread.run(call('input'))).toEqual({ type: 'value', value: null });
    } finally {
      delete process.env['SVIDX_TEST_SECRET'];
    }
  });

  test('nothing that one call leaves in its instance for the next', async () => {
    const thread = startThread('...(() => { let calls = 0; return { count: () => ++calls }; })()');
    expect(await thread.run(call('count'))).toEqual({ type: 'value', value: 1 });
    expect(await thread.run(call('count'))).toEqual({ type: 'value', value: 1 });
  });

  test('a heap of a quarter of a GiB at most, and a bit for what is young', async () => {
    const thread = startThread('heap: () => process.getBuiltinModule("node:v8").getHeapStatistics().heap_size_limit');
    const outcome = await thread.run(call('heap'));
    expect('value' in outcome ? outcome.value : undefined).toBeLessThan(400 * 1024 * 1024);
  });

  test("the host's imports under the names that jco looks for, and WASI", async () => {
    const thread = startThread(`
      names: () => Object.keys(imports['test:host/store']),
      wasi: () => 'wasi:cli/environment' in imports,
    `);
    expect(await thread.run(call('names'))).toEqual({ type: 'value', value: ['get', 'listKeys'] });
    expect(await thread.run(call('wasi'))).toEqual({ type: 'value', value: true });
  });
});

describe('a call', () => {
  test('asks the host and gets its answer, or its refusal as a payload', async () => {
    const asked: ImportRequest[] = [];
    const thread = startThread(
      `get: (key) => imports['test:host/store'].get(key),
       refused: () => { try { return imports['test:host/store'].listKeys(); } catch (error) { return error.payload; } },`,
      {
        onImport: async (request) => {
          asked.push(request);
          return request.function === 'get' ? { ok: `${request.args[0]}!` } : { err: { tag: 'no' } };
        },
      },
    );
    expect(await thread.run(call('get', 'a'))).toEqual({ type: 'value', value: 'a!' });
    expect(await thread.run(call('refused'))).toEqual({ type: 'value', value: { tag: 'no' } });
    expect(asked).toMatchObject([
      { interface: 'test:host/store', function: 'get', args: ['a'] },
      { interface: 'test:host/store', function: 'list-keys', args: [] },
    ]);
  });

  test('may ask many times, each answer going where it belongs', async () => {
    const thread = startThread(`all: () => [1, 2, 3].map((key) => imports['test:host/store'].get(key)).flat()`);
    expect(await thread.run(call('all'))).toEqual({ type: 'value', value: [1, 2, 3] });
  });

  test('may come while the first instance is made, even where that asks the host', async () => {
    const thread = startThread('get: () => given', { start: `const given = imports['test:host/store'].get('a')` });
    expect(await thread.run(call('get'))).toEqual({ type: 'value', value: ['a'] });
    expect(await thread.run(call('get'))).toEqual({ type: 'value', value: ['a'] });
  });

  test('that throws what jco throws for the error of a result gives that error', async () => {
    const thread = startThread(`fail: () => { throw Object.assign(new Error('x'), { payload: { tag: 'why' } }); }`);
    expect(await thread.run(call('fail'))).toEqual({ type: 'error', payload: { tag: 'why' } });
    expect(thread.usable).toBe(true);
  });

  test.each([
    ['an error', `throw new Error('a reason')`, 'Error: a reason'],
    ['a text', `throw 'a reason'`, 'a reason'],
    ['nothing', 'throw undefined', 'undefined'],
    ['an object with a payload that is no error', `throw { payload: 1 }`, '[object Object]'],
    [
      'an error that only inherits a payload',
      `throw Object.create(Object.assign(new Error('x'), { payload: 1 }))`,
      'Error: x',
    ],
  ])('that throws %s has trapped, and its thread is gone', async (_, statement, reason) => {
    const thread = startThread(`fail: () => { ${statement}; }`);
    expect(await refusal(thread.run(call('fail')))).toMatchObject({
      code: 'component_trapped',
      message: `the component trapped: ${reason}`,
    });
    expect(thread.usable).toBe(false);
  });

  test('whose reason holds a token does not show it', async () => {
    const thread = startThread(
      `fail: () => { throw new Error('eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl\\n' + 'x'.repeat(9999)); }`,
    );
    const { message } = await refusal(thread.run(call('fail')));
    expect(message).toMatch(/^the component trapped: Error: \[redacted\] x+\.\.\.$/);
  });

  const deadly: readonly (readonly [string, string])[] = [
    ['leaves the process', 'leave: () => process.exit(0)'],
    ['gives what cannot be sent', 'leave: () => () => 1'],
    ['fills the heap', 'leave: () => { const all = []; for (;;) all.push(new Array(10_000).fill(all.length + 0.5)); }'],
  ];

  test.each(deadly)('that %s ends its thread, and no more than that', async (_, functions) => {
    const thread = startThread(functions);
    expect(await refusal(thread.run(call('leave')))).toMatchObject({ code: 'component_trapped' });
    expect(thread.usable).toBe(false);
  });

  test.each([
    ['throws where nobody catches', `leave: () => queueMicrotask(() => { throw new Error('late'); })`],
    ['leaves a promise rejected', `leave: () => void Promise.reject(new Error('late'))`],
  ])('that %s once it is done ends its thread before the next', async (_, functions) => {
    const thread = startThread(functions);
    // Whether the result or the failure is heard of first is not for us to say.
    await thread.run(call('leave')).catch(() => {});
    expect(await refusal(thread.run(call('leave')))).toMatchObject({
      code: 'component_trapped',
      message: 'the component trapped: late',
    });
    expect(thread.usable).toBe(false);
  });

  test('of a component whose JavaScript does not even load has trapped', async () => {
    const thread = startThread('} } syntax error');
    expect(await refusal(thread.run(call('any')))).toMatchObject({ code: 'component_trapped' });
  });

  test('that makes the host itself fail ends with that, and the host lives', async () => {
    const thread = startThread(`get: () => imports['test:host/store'].get('a')`, {
      onImport: () => Promise.reject(new Error('SECRET-1')),
    });
    expect(await refusal(thread.run(call('get')))).toMatchObject({
      code: 'internal_error',
      message: 'something went wrong inside svid-exchange',
    });
    expect(thread.usable).toBe(false);
  });
});

describe('a call that asks for more than the host can do', () => {
  test('is held up: it gets no further ahead than a thousand messages', async () => {
    const asked = new Int32Array(new SharedArrayBuffer(4));
    let ahead: number | undefined;
    const thread = startThread(
      `flood: (asked) => {
        const { Fields, OutgoingRequest } = imports['wasi:http/types'];
        for (let count = 0; count < 20_000; count += 1) {
          const request = new OutgoingRequest(new Fields());
          request.setAuthority('a');
          imports['wasi:http/outgoing-handler'].handle(request)[Symbol.dispose]();
          Atomics.add(asked, 0, 1);
        }
      }`,
      {
        onRequest: async () => {
          // While this thread is busy, the other has all the time it needs.
          for (const end = performance.now() + 300; ahead === undefined && performance.now() < end; );
          ahead ??= Atomics.load(asked, 0);
          throw new Error('no');
        },
      },
    );
    await thread.ready();
    expect(await thread.run(call('flood', asked))).toEqual({ type: 'value', value: undefined });
    expect(asked[0]).toBe(20_000);
    expect(ahead).toBeLessThan(1_200);
  });
});

describe('a call that nobody waits for any more', () => {
  test('ends when it next asks for something', async () => {
    const asked = createDeferred<void>();
    const thread = startThread(`ask: () => imports['test:host/store'].get('a')`, {
      onImport: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    });
    const controller = new AbortController();
    const running = refusal(thread.run(call('ask'), controller.signal));
    await asked.promise;
    controller.abort();
    expect(await running).toMatchObject({ code: 'component_trapped', message: expect.stringMatching(/nobody waits/) });
    expect(thread.usable).toBe(false);
  });

  test('ends after a moment where it asks for nothing', async () => {
    const clock = createFakeClock();
    const thread = startThread(HANG, { clock });
    await thread.ready();
    const controller = new AbortController();
    const running = refusal(thread.run(call('hang'), controller.signal));
    controller.abort();
    await clock.advance(999);
    expect(thread.usable).toBe(true);
    await clock.advance(1);
    expect(await running).toMatchObject({
      code: 'component_timed_out',
      message: expect.stringMatching(/nobody waits/),
    });
    expect(clock.timers).toBe(0);
  });

  test('may still come to its end before it hears of it, and the next one is not taken for it', async () => {
    const clock = createFakeClock();
    const thread = startThread(`quick: () => 1, ask: () => imports['test:host/store'].get('a')`, { clock });
    await thread.ready();
    for (let round = 0; round < 50; round += 1) {
      const controller = new AbortController();
      const quick = thread.run(call('quick'), controller.signal);
      // Sent once the thread has surely taken the job, and perhaps ended it: nothing has come back to us yet.
      for (const end = performance.now() + (round % 5); performance.now() < end; );
      controller.abort();
      expect(await quick).toEqual({ type: 'value', value: 1 });
      expect(await thread.run(call('ask'))).toEqual({ type: 'value', value: ['a'] });
    }
  });
});

describe('a thread that is idle', () => {
  test('has no timer left over from its calls', async () => {
    const clock = createFakeClock();
    const thread = startThread('fine: () => 1', { clock });
    for (let round = 0; round < 3; round += 1) await thread.run(call('fine'));
    await thread.ready();
    expect(clock.timers).toBe(0);
  });
});

describe('a thread that ended', () => {
  test('fails the call under way with the reason, and each later call at once', async () => {
    const clock = createFakeClock();
    const thread = startThread(HANG, { clock });
    const running = refusal(thread.run(call('hang')));
    await thread.end(stopping);
    expect(await running).toBe(stopping);
    expect(thread.usable).toBe(false);
    expect(await refusal(thread.run(call('hang')))).toBe(stopping);
    expect(clock.timers).toBe(0);
  });

  test('keeps its first reason', async () => {
    const thread = startThread(HANG);
    await thread.end(stopping);
    await thread.end(new SvidxError('component_trapped', 'later'));
    expect(await refusal(thread.run(call('hang')))).toBe(stopping);
  });

  test('because its time was up says so to whoever calls again', async () => {
    const clock = createFakeClock();
    const thread = startThread(HANG, { clock });
    const running = refusal(thread.run(call('hang')));
    await clock.advance(5_000);
    expect(await running).toMatchObject({ code: 'component_timed_out' });
    expect(await refusal(thread.run(call('hang')))).toMatchObject({ code: 'component_timed_out' });
  });
});
