import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LoadedComponent } from '../../src/component/host.ts';
import { createFakeClock, settle } from '../fakes/clock.ts';
import { asker, counter, troubled } from '../fakes/components.ts';
import { createTestHost, startHost } from '../support/components.ts';
import { refusal, refusalCode } from '../support/errors.ts';

/** One host, whose clock stands still, for the tests that do not need one to themselves: loading takes long. */
const clock = createFakeClock();
const { broker, host: shared, load } = createTestHost({ clock, limits: { timeoutMs: 5_000, instances: 2 } });
let asking: LoadedComponent;
let alsoAsking: LoadedComponent;
let inTrouble: LoadedComponent;

const components: Record<'asker' | 'counter' | 'troubled', Uint8Array> = {
  asker: new Uint8Array(),
  counter: new Uint8Array(),
  troubled: new Uint8Array(),
};

beforeAll(async () => {
  [components.asker, components.counter, components.troubled] = await Promise.all([asker(), counter(), troubled()]);
  [asking, alsoAsking, inTrouble] = await Promise.all([
    load('asker', components.asker),
    load('other', components.asker),
    load('troubled', components.troubled),
  ]);
});

beforeEach(() => {
  broker.asked.length = 0;
  broker.gate = Promise.resolve();
});

afterAll(() => shared.close());

const TIMED_OUT = {
  code: 'component_timed_out',
  message: 'the component did not finish within 5 seconds and was ended',
};
const STOPPING = { code: 'service_stopping', message: 'the host is shutting down' };

describe('a component that traps', () => {
  test('is told apart from one that refuses, and can be called again', async () => {
    const traps: readonly (readonly [string, readonly unknown[], RegExp])[] = [
      ['trap', [], /unreachable/],
      ['read-beyond', [], /out of bounds/],
      ['write-beyond', [], /out of bounds/],
      ['divide', [0], /divide by zero/],
      ['call-nothing', [], /table|null|indirect/],
      ['recurse', [], /Maximum call stack/],
      ['text-beyond', [], /outside the bounds/],
      ['unknown-case', [], /discriminant/],
    ];
    for (const [name, args, reason] of traps) {
      const error = await refusal(inTrouble.call(name, args));
      expect([name, error.code]).toEqual([name, 'component_trapped']);
      expect(error.message).toMatch(/^the component trapped: /);
      expect(error.message).toMatch(reason);
      expect(await inTrouble.call('fine', [])).toEqual({ ok: 42 });
    }
  });

  test('after it has asked the host does so too, and without asking where its question is not in its memory', async () => {
    for (const name of ['token-then-trap', 'answer-beyond']) {
      expect([name, await refusalCode(asking.call(name, ['a']))]).toEqual([name, 'component_trapped']);
    }
    expect(broker.asked).toHaveLength(2);
    expect(await refusalCode(asking.call('audience-beyond', []))).toBe('component_trapped');
    expect(broker.asked).toHaveLength(2);
  });

  test('does not disturb calls that run beside it', async () => {
    let open = (): void => {};
    broker.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const waiting = asking.call('token', ['a']);
    expect(await refusalCode(asking.call('audience-beyond', []))).toBe('component_trapped');
    open();
    expect(await waiting).toHaveProperty('ok');
  });

  test('of memory it gets its limit, and the host is none the worse', async () => {
    // 64 MiB in pages of 64 KiB, less what is set aside for others; it grows by five at a time.
    expect(await inTrouble.call('grow', [])).toEqual({ ok: 1_021 });
    expect(await inTrouble.call('fine', [])).toEqual({ ok: 42 });
  });
});

describe('the time limit', () => {
  test('ends an endless loop, while another component and the broker go on answering', async () => {
    const endless = refusal(asking.call('token-then-spin', ['a']));
    await broker.waitForAsked(1);
    expect(await alsoAsking.call('token', ['b'])).toHaveProperty('ok');
    expect(await broker.credentials({ component: 'x' }, 'g')).toHaveProperty('kind', 'aws');
    await clock.advance(5_000);
    expect(await endless).toMatchObject(TIMED_OUT);
    expect(await alsoAsking.call('token', ['c'])).toHaveProperty('ok');
    expect(await asking.call('token', ['d'])).toHaveProperty('ok');
  });

  test('ends one that never looks up from the start', async () => {
    const clock = createFakeClock();
    const component = await startHost({ clock, limits: { timeoutMs: 5_000 } }).load('troubled', components.troubled);
    let ended = false;
    const endless = refusal(component.call('spin', [])).finally(() => {
      ended = true;
    });
    await settle();
    await clock.advance(4_999);
    expect(ended).toBe(false);
    await clock.advance(1);
    expect(await endless).toMatchObject(TIMED_OUT);
    expect(await component.call('fine', [])).toEqual({ ok: 42 });
  });

  test('ends the wait for a host that never answers', async () => {
    broker.gate = new Promise(() => {});
    const waiting = refusal(asking.call('token', ['a']));
    await broker.waitForAsked(1);
    await clock.advance(5_000);
    expect(await waiting).toMatchObject(TIMED_OUT);
    broker.gate = Promise.resolve();
    expect(await asking.call('token', ['a'])).toHaveProperty('ok');
  });

  test('an answer of the host that comes too late reaches nobody', async () => {
    let open = (): void => {};
    broker.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const waiting = refusal(asking.call('token', ['a']));
    await broker.waitForAsked(1);
    await clock.advance(5_000);
    expect(await waiting).toMatchObject(TIMED_OUT);
    open();
    await settle();
    expect(await asking.call('token', ['b'])).toHaveProperty('ok');
  });

  test('begins anew with each call', async () => {
    for (let call = 0; call < 3; call += 1) {
      await clock.advance(4_000);
      expect(await inTrouble.call('fine', [])).toEqual({ ok: 42 });
    }
  });
});

describe('calls at the same time', () => {
  /** A host whose broker answers nobody until `open` is called. */
  async function startGated(instances: number) {
    const clock = createFakeClock();
    const { load, broker } = startHost({ clock, limits: { timeoutMs: 5_000, instances } });
    const component = await load('asker', components.asker);
    let open = (): void => {};
    broker.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    return { load, broker, component, open };
  }

  test('run up to the limit; further ones wait their turn', async () => {
    const { load, broker, component, open } = await startGated(2);
    const calls = ['1', '2', '3', '4', '5'].map((audience) => component.call('token', [audience]));
    await broker.waitForAsked(2);
    // Time enough for a third to be asked for, were there one: another component is loaded and answered.
    await (await load('other', components.counter)).call('nothing', []);
    expect(broker.asked.map(({ audience }) => audience?.[0])).toEqual(['1', '2']);
    open();
    expect((await Promise.all(calls)).every((result) => 'ok' in result)).toBe(true);
    expect(broker.asked.map(({ audience }) => audience?.[0]).toSorted()).toEqual(['1', '2', '3', '4', '5']);
  });

  test('one at a time come strictly in order', async () => {
    const { broker, component, open } = await startGated(1);
    open();
    await Promise.all(['1', '2', '3', '4'].map((audience) => component.call('token', [audience])));
    expect(broker.asked.map(({ audience }) => audience?.[0])).toEqual(['1', '2', '3', '4']);
  });

  test("the limit is each component's own", async () => {
    const { broker, component, load } = await startGated(1);
    const other = await load('other', components.asker);
    const calls = [component.call('token', ['a']), other.call('token', ['b']), component.call('token', ['c'])];
    await broker.waitForAsked(2);
    expect(broker.asked.map(({ audience }) => audience?.[0]).toSorted()).toEqual(['a', 'b']);
    for (const call of calls) call.catch(() => {});
  });

  test('one that waits gets a thread when the one before it trapped or ran out of time', async () => {
    const clock = createFakeClock();
    const { load, broker } = startHost({ clock, limits: { timeoutMs: 5_000 } });
    const component = await load('asker', components.asker);
    const calls = ['token-then-trap', 'token-then-spin'].map((name) => refusalCode(component.call(name, ['a'])));
    await broker.waitForAsked(2);
    await clock.advance(1_000);
    const third = component.call('token', ['a']);
    await clock.advance(4_000);
    expect(await Promise.all(calls)).toEqual(['component_trapped', 'component_timed_out']);
    expect(await third).toHaveProperty('ok');
  });

  test('who waits longer than a call may take is told that all are busy, and so is who finds the line full', async () => {
    const clock = createFakeClock();
    const { load, broker } = startHost({ clock, limits: { timeoutMs: 5_000, maxWaiting: 1 } });
    const component = await load('asker', components.asker);
    const endless = refusalCode(component.call('token-then-spin', ['a']));
    await broker.waitForAsked(1);
    const waiting = refusal(component.call('token', ['b']));
    const busy = { code: 'component_busy', message: 'all instances of the component are busy; try again later' };
    expect(await refusal(component.call('token', ['c']))).toMatchObject(busy);
    await clock.advance(5_000);
    expect(await Promise.all([endless, waiting])).toMatchObject(['component_timed_out', busy]);
    expect(await component.call('token', ['d'])).toHaveProperty('ok');
    expect(broker.asked.map(({ audience }) => audience?.[0])).toEqual(['a', 'd']);
  });
});

describe('closing the host', () => {
  test('ends the calls that run and those that wait, and refuses further ones', async () => {
    const clock = createFakeClock();
    const { host, load } = startHost({ clock });
    const component = await load('troubled', components.troubled);
    const calls = [component.call('spin', []), component.call('fine', []), component.call('fine', [])].map(refusal);
    await settle();
    await host.close();
    for (const call of calls) expect(await call).toMatchObject(STOPPING);
    expect(clock.timers).toBe(0);
    expect(await refusal(component.call('fine', []))).toMatchObject(STOPPING);
    await host.close();
  });

  test('ends a call that was made in the same moment', async () => {
    const { host, load } = startHost();
    const component = await load('troubled', components.troubled);
    const call = refusal(component.call('fine', []));
    await host.close();
    expect(await call).toMatchObject(STOPPING);
  });

  test('ends a component that is just being loaded, and refuses to load others', async () => {
    const { host, load } = startHost();
    const loading = refusal(load('counter', components.counter));
    await host.close();
    expect(await loading).toMatchObject(STOPPING);
    expect(await refusal(load('counter', components.counter))).toMatchObject(STOPPING);
  });

  test('has nothing to do where nothing was called', async () => {
    const { host, load } = startHost();
    await load('counter', components.counter);
    await host.close();
  });
});
