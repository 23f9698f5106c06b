import { describe, expect, onTestFinished, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import type { ImportOutcome } from '../../src/component/host-import.ts';
import { type ComponentThread, type ImportRequest, startComponentThread } from '../../src/component/thread.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { refusal } from '../support/errors.ts';

/**
 * A thread whose component is JavaScript written here instead of by jco: what a component could only do by breaking out of
 * WebAssembly, these functions simply do.
 */
function startThread(
  functions: string,
  options: { clock?: FakeClock; onImport?: (request: ImportRequest) => Promise<ImportOutcome> } = {},
): ComponentThread {
  const thread = startComponentThread({
    compiled: {
      digest: 'sha256:0',
      source: `export async function instantiate(getModule, imports) { return { ${functions} }; }`,
      modules: new Map(),
      limits: new Map(),
      memoryBytes: 0,
      imports: [],
      functions: [],
      httpHandler: undefined,
      command: undefined,
    },
    remote: [{ interface: 'test:host/store', functions: ['get', 'list-keys'] }],
    clock: options.clock ?? createFakeClock(),
    timeoutMs: 5_000,
    onImport: options.onImport ?? (async ({ args }) => ({ ok: args })),
  });
  onTestFinished(() => thread.end(new SvidxError('service_stopping', 'the test is over')));
  return thread;
}

const stopping = new SvidxError('service_stopping', 'enough');

describe('what a thread holds', () => {
  test('no variable, no flag and no input of this process', async () => {
    process.env['SVIDX_TEST_SECRET'] = 'SECRET-1';
    try {
      const thread = startThread(`
        env: () => Object.keys(process.env),
        flags: () => process.execArgv,
        input: () => process.stdin.read(),
      `);
      expect(await thread.run('env', [])).toEqual({ type: 'value', value: [] });
      expect(await thread.run('flags', [])).toEqual({ type: 'value', value: [] });
      expect(await thread.run('input', [])).toEqual({ type: 'value', value: null });
    } finally {
      delete process.env['SVIDX_TEST_SECRET'];
    }
  });

  test('nothing that one call leaves in its instance for the next', async () => {
    const thread = startThread('...(() => { let calls = 0; return { count: () => ++calls }; })()');
    expect(await thread.run('count', [])).toEqual({ type: 'value', value: 1 });
    expect(await thread.run('count', [])).toEqual({ type: 'value', value: 1 });
  });

  test('a heap of a quarter of a GiB at most, and a bit for what is young', async () => {
    const thread = startThread('heap: async () => (await import("node:v8")).getHeapStatistics().heap_size_limit');
    const outcome = await thread.run('heap', []);
    expect('value' in outcome ? outcome.value : undefined).toBeLessThan(400 * 1024 * 1024);
  });

  test("the host's imports under the names that jco looks for, and WASI", async () => {
    const thread = startThread(`
      names: () => Object.keys(imports['test:host/store']),
      wasi: () => 'wasi:cli/environment' in imports,
    `);
    expect(await thread.run('names', [])).toEqual({ type: 'value', value: ['get', 'listKeys'] });
    expect(await thread.run('wasi', [])).toEqual({ type: 'value', value: true });
  });
});

describe('a call', () => {
  test('asks the host and gets its answer, or its refusal as a payload', async () => {
    const asked: ImportRequest[] = [];
    const thread = startThread(
      `get: (key) => imports['test:host/store'].get(key),
       refused: () => imports['test:host/store'].listKeys().catch((error) => error.payload),`,
      {
        onImport: async (request) => {
          asked.push(request);
          return request.function === 'get' ? { ok: `${request.args[0]}!` } : { err: { tag: 'no' } };
        },
      },
    );
    expect(await thread.run('get', ['a'])).toEqual({ type: 'value', value: 'a!' });
    expect(await thread.run('refused', [])).toEqual({ type: 'value', value: { tag: 'no' } });
    expect(asked).toMatchObject([
      { interface: 'test:host/store', function: 'get', args: ['a'] },
      { interface: 'test:host/store', function: 'list-keys', args: [] },
    ]);
  });

  test('may ask many times at once, each answer going where it belongs', async () => {
    const thread = startThread(`
      all: async () => (await Promise.all([1, 2, 3].map((key) => imports['test:host/store'].get(key)))).flat(),
    `);
    expect(await thread.run('all', [])).toEqual({ type: 'value', value: [1, 2, 3] });
  });

  test('that throws what jco throws for the error of a result gives that error', async () => {
    const thread = startThread(`fail: () => { throw Object.assign(new Error('x'), { payload: { tag: 'why' } }); }`);
    expect(await thread.run('fail', [])).toEqual({ type: 'error', payload: { tag: 'why' } });
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
    expect(await refusal(thread.run('fail', []))).toMatchObject({
      code: 'component_trapped',
      message: `the component trapped: ${reason}`,
    });
    expect(thread.usable).toBe(false);
  });

  test('whose reason holds a token does not show it', async () => {
    const thread = startThread(
      `fail: () => { throw new Error('eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl\\n' + 'x'.repeat(9999)); }`,
    );
    const { message } = await refusal(thread.run('fail', []));
    expect(message).toMatch(/^the component trapped: Error: \[redacted\] x+\.\.\.$/);
  });

  const deadly: readonly (readonly [string, string])[] = [
    ['leaves the process', 'leave: () => process.exit(0)'],
    [
      'throws where nobody catches',
      `leave: () => { queueMicrotask(() => { throw new Error('late'); }); return new Promise(() => {}); }`,
    ],
    ['leaves a promise rejected', `leave: () => { Promise.reject(new Error('late')); return new Promise(() => {}); }`],
    ['gives what cannot be sent', 'leave: () => () => 1'],
    ['fills the heap', 'leave: () => { const all = []; for (;;) all.push(new Array(10_000).fill(all.length + 0.5)); }'],
  ];

  test.each(deadly)('that %s ends its thread, and no more than that', async (_, functions) => {
    const thread = startThread(functions);
    expect(await refusal(thread.run('leave', []))).toMatchObject({ code: 'component_trapped' });
    expect(thread.usable).toBe(false);
  });

  test('of a component whose JavaScript does not even load has trapped', async () => {
    const thread = startThread('} } syntax error');
    expect(await refusal(thread.run('any', []))).toMatchObject({ code: 'component_trapped' });
  });

  test('that makes the host itself fail ends with that, and the host lives', async () => {
    const thread = startThread(`get: () => imports['test:host/store'].get('a')`, {
      onImport: () => Promise.reject(new Error('SECRET-1')),
    });
    expect(await refusal(thread.run('get', []))).toMatchObject({
      code: 'internal_error',
      message: 'something went wrong inside svid-exchange',
    });
    expect(thread.usable).toBe(false);
  });
});

describe('a thread that ended', () => {
  test('fails the call under way with the reason, and each later call at once', async () => {
    const clock = createFakeClock();
    const thread = startThread('hang: () => new Promise(() => {})', { clock });
    const call = refusal(thread.run('hang', []));
    await thread.end(stopping);
    expect(await call).toBe(stopping);
    expect(thread.usable).toBe(false);
    expect(await refusal(thread.run('hang', []))).toBe(stopping);
    expect(clock.timers).toBe(0);
  });

  test('keeps its first reason', async () => {
    const thread = startThread('hang: () => new Promise(() => {})');
    await thread.end(stopping);
    await thread.end(new SvidxError('component_trapped', 'later'));
    expect(await refusal(thread.run('hang', []))).toBe(stopping);
  });

  test('because its time was up says so to whoever calls again', async () => {
    const clock = createFakeClock();
    const thread = startThread('hang: () => new Promise(() => {})', { clock });
    const call = refusal(thread.run('hang', []));
    await clock.advance(5_000);
    expect(await call).toMatchObject({ code: 'component_timed_out' });
    expect(await refusal(thread.run('hang', []))).toMatchObject({ code: 'component_timed_out' });
  });
});
