import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createDeferred } from '../../src/base/deferred.ts';
import { httpWorkbench } from '../fakes/http-handler.ts';
import { type ComponentFront, startFront } from '../support/component-front.ts';
import { createTestHost, NO_EGRESS, TEST_LIMITS, UPSTREAM } from '../support/components.ts';
import { ask, type HttpAnswer } from '../support/http.ts';

/** A component that has one instance at a time and half a second to answer, and a neighbour. */
let upstream = NO_EGRESS.send;
const { host, broker, written } = createTestHost({
  rights: UPSTREAM,
  egress: { send: (...question) => upstream(...question) },
});
let front: ComponentFront;
let neighbour: ComponentFront;
/** The same component with all the time it needs, for what is no question of time. */
let patient: ComponentFront;

beforeAll(async () => {
  const bytes = await httpWorkbench();
  const start = async (name: string, timeoutMs: number): Promise<ComponentFront> =>
    startFront(name, await host.load(name, bytes, { ...TEST_LIMITS, timeoutMs, maxWaiting: 2 }));
  [front, neighbour, patient] = await Promise.all([
    start('hasty', 500),
    start('neighbour', 60_000),
    start('patient', 60_000),
  ]);
});
beforeEach(() => {
  upstream = NO_EGRESS.send;
  broker.gate = Promise.resolve();
  broker.asked.length = 0;
  for (const { log } of [front, patient]) log.lines.length = 0;
  written.length = 0;
});
afterAll(async () => {
  await host.close();
  await Promise.all([front, neighbour, patient].map((one) => one.close()));
});

/** The neighbour and the broker answer, now. */
async function expectHealth(): Promise<void> {
  expect(await ask(neighbour.url, { path: '/count' })).toMatchObject({ status: 200, text: '11' });
  expect(await broker.identity({ component: 'x' }, ['a'])).toHaveProperty('token');
}

/** The component itself answers again, if not at once: a new thread may take a while to start. */
async function expectRecovery(of = front): Promise<void> {
  await expect
    .poll(() => ask(of.url, { path: '/count' }), { timeout: 15_000 })
    .toMatchObject({ status: 200, text: '11' });
}

function codeOf({ text }: HttpAnswer): string {
  return JSON.parse(text).code;
}

/** A client that sends what it likes when it likes. */
async function connectRaw(to: ComponentFront, ...lines: readonly string[]): Promise<Socket> {
  const socket = connect(Number(new URL(to.url).port), '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  if (lines.length > 0) socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return socket;
}

describe('a component that goes wrong', () => {
  test.each([
    ['traps', '/trap', 'component_trapped'],
    ['recurses without end', '/recurse', 'component_trapped'],
    ['takes all the memory there is', '/bomb', 'component_trapped'],
    ['hands over one MiB a hundred thousand times', '/aliases', 'component_trapped'],
    ['keeps more to send than there is room for', '/hold', 'component_trapped'],
    ['lets more answers lie than there is room for', '/hoard', 'component_trapped'],
    ['never looks at more answers than there is room for', '/hoard-blindly', 'component_trapped'],
    ['polls nothing', '/poll-nothing', 'component_trapped'],
    // jco takes it for nothing; the answer is what is missing.
    ['drops a handle that it was never given', '/drop-unknown', 'component_failed'],
    ['uses a handle that it dropped', '/use-dropped', 'component_trapped'],
    ['uses a handle as something else', '/wrong-kind', 'component_trapped'],
    ['reads from a handle that it was not given', '/not-given', 'component_trapped'],
    ['promises a length that is none', '/bad-length', 'component_trapped'],
    ['calls exit', '/exit', 'component_trapped'],
    ['loops', '/spin', 'component_timed_out'],
    ['sleeps too long', '/sleep', 'component_timed_out'],
    ['prints without end', '/print-for-ever', 'component_timed_out'],
    ['asks others without end', '/flood', 'component_timed_out'],
  ])('%s: gets an error, its neighbours notice nothing, and it answers again', async (_, path, code) => {
    const body = path.startsWith('/hoard') ? content : nothing;
    upstream = async () => ({ status: 200, headers: [], body: body(), trailers: async () => undefined });
    const asked = code === 'component_timed_out' ? front : patient;
    const answer = ask(asked.url, { path });
    await expectHealth();
    expect(codeOf(await answer)).toBe(code);
    expect(asked.failures()).toEqual([code]);
    await expectRecovery(asked);
  });

  test('waits for a host that never answers: its time is up, and it answers again', async () => {
    const gate = createDeferred<void>();
    broker.gate = gate.promise;
    const answer = ask(front.url, { path: '/hang-in-import' });
    await broker.waitForAsked(1);
    expect(await ask(neighbour.url, { path: '/count' })).toMatchObject({ status: 200, text: '11' });
    expect(codeOf(await answer)).toBe('component_timed_out');
    gate.resolve();
    await expectRecovery();
  });

  test.each([
    ['traps', '/trap-later'],
    ['loops', '/spin-later'],
    ['lets go of its answer', '/drop-body-later'],
  ])('%s after its answer has begun: the connection breaks, so that nobody takes it for whole', async (_, path) => {
    await expect(ask(front.url, { path })).rejects.toThrow(/aborted|hang up/);
    await expectRecovery();
  });

  test('calls exit after it has answered: the answer counts, the instance does not', async () => {
    expect(await ask(front.url, { path: '/exit-later' })).toMatchObject({ status: 200, text: 'part' });
    await expectRecovery();
  });

  test('writes to the log as much as it may, and no more', async () => {
    await ask(front.url, { path: '/print-for-ever' });
    const characters = written.reduce((sum, { line }) => sum + line.length, 0);
    expect(characters).toBeGreaterThan(1_000);
    expect(characters).toBeLessThanOrEqual(262_144);
  });

  test('has a line before it that is not longer than was said', async () => {
    const gate = createDeferred<void>();
    broker.gate = gate.promise;
    const running = ask(patient.url, { path: '/hang-in-import' });
    await broker.waitForAsked(1);
    const others = Array.from({ length: 5 }, () => ask(patient.url, { path: '/plain' }));
    // Three too many: they are told at once.
    const busy = [await next(others), await next(others), await next(others)];
    expect(busy.map(codeOf)).toEqual(['component_busy', 'component_busy', 'component_busy']);
    expect(busy.every(({ status }) => status === 503)).toBe(true);
    gate.resolve();
    const served = await Promise.all([running, ...others]);
    expect(served.map(({ text }) => text)).toEqual(['part', 'part', 'part']);
  });
});

/** The first of these that is answered, which is taken out. */
async function next(answers: Promise<HttpAnswer>[]): Promise<HttpAnswer> {
  const [answer, first] = await Promise.race(answers.map(async (one) => [await one, one] as const));
  answers.splice(answers.indexOf(first), 1);
  return answer;
}

describe('a client', () => {
  test('that goes away takes its component with it, at once where that waits', async () => {
    const given = new Promise<AbortSignal>((resolve) => {
      upstream = (_caller, _request, signal) => {
        resolve(signal);
        return new Promise(() => {});
      };
    });
    const socket = await connectRaw(patient, 'GET /ask HTTP/1.1', 'Host: a');
    const signal = await given;
    socket.destroy();
    if (!signal.aborted) await once(signal, 'abort');
    expect(patient.log.lines).toEqual([]);
    await expectRecovery(patient);
  });

  test('that goes away before its component has its turn leaves the line', async () => {
    const gate = createDeferred<void>();
    broker.gate = gate.promise;
    const first = ask(patient.url, { path: '/hang-in-import' });
    await broker.waitForAsked(1);
    const clients = [
      await connectRaw(patient, 'GET /trap HTTP/1.1', 'Host: a'),
      await connectRaw(patient, 'GET /trap HTTP/1.1', 'Host: a'),
    ];
    // Both are in the line once that is full.
    await expect
      .poll(() => ask(patient.url, { path: '/plain' }).then(codeOf), { timeout: 5_000 })
      .toBe('component_busy');
    for (const client of clients) client.destroy();
    // There is room for two: they are in the line once those before them have left it.
    const others: Promise<HttpAnswer>[] = [];
    for (const _ of clients) await expect.poll(() => enterLine(others), { timeout: 5_000 }).toBeDefined();
    gate.resolve();
    expect((await Promise.all([first, ...others])).map(({ text }) => text)).toEqual(['part', 'part', 'part']);
    expect(patient.failures()).not.toContain('component_trapped');
    await expectRecovery(patient);
  });

  /** Asks for an answer, and adds it to the list unless the line is too long: nobody is kept in doubt about that. */
  async function enterLine(others: Promise<HttpAnswer>[]): Promise<unknown> {
    const answer = ask(patient.url, { path: '/plain' });
    const time = async () => {
      for (let round = 0; round < 3; round += 1) await ask(neighbour.url, { path: '/count' });
    };
    const known = await Promise.race([answer, time()]);
    return known === undefined ? others.push(answer) : undefined;
  }

  test('that wants the head of a long answer keeps nobody waiting', async () => {
    expect(await ask(patient.url, { method: 'HEAD', path: '/big' })).toMatchObject({ status: 200, text: '' });
    await expectRecovery(patient);
    expect(patient.log.lines).toEqual([]);
  });

  test('that goes away in the middle of its body, or of the answer, leaves no instance behind', async () => {
    const sending = await connectRaw(patient, 'POST /echo HTTP/1.1', 'Host: a', 'Content-Length: 100', '', 'some');
    await once(sending, 'data');
    sending.destroy();
    await expectRecovery(patient);
    const reading = await connectRaw(patient, 'GET /big HTTP/1.1', 'Host: a');
    await once(reading, 'data');
    reading.destroy();
    expect(patient.log.lines).toEqual([]);
    await expectRecovery(patient);
  });

  test('that goes away before its body begins is nothing to log', async () => {
    for (const head of ['Content-Length: 4', 'Transfer-Encoding: chunked']) {
      const socket = await connectRaw(patient, 'POST /echo HTTP/1.1', 'Host: a', head, 'Expect: 100-continue');
      await once(socket, 'data');
      socket.destroy();
    }
    await expectRecovery(patient);
    expect(patient.log.lines).toEqual([]);
  });

  test('that does not finish its head, or does not begin its body, takes no instance', async () => {
    await connectRaw(front, 'POST /echo HTTP/1.1', 'Host: a', 'Content-Length: 4');
    await connectRaw(front, 'POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');
    (await connectRaw(front)).write('GET /echo HTTP/1.1\r\nHost:');
    await expectRecovery();
  });

  test('that does not finish its body has a component that runs out of time, and no more', async () => {
    const slow = await connectRaw(front, 'POST /echo HTTP/1.1', 'Host: a', 'Content-Length: 100', '', 'x');
    await once(slow, 'data');
    await expectHealth();
    await once(slow, 'close');
    expect(front.failures()).toEqual(['component_timed_out']);
    await expectRecovery();
  });

  test('that sends without end to one who does not read is held up', async () => {
    const sending = await connectRaw(front, 'POST /sleep HTTP/1.1', 'Host: a', 'Content-Length: 1000000000000', '', '');
    const answered = once(sending, 'data');
    const chunk = Buffer.alloc(65_536);
    const send = (): void => {
      while (sending.writable && sending.write(chunk));
    };
    sending.on('drain', send);
    send();
    expect(String(await answered)).toMatch(/^HTTP\/1.1 504 /);
    // The window of a pipe, what Node reads ahead, and what the system keeps for the two ends of a connection.
    expect(sending.bytesWritten - sending.writableLength).toBeLessThan(32 * 1024 ** 2);
    sending.destroy();
    await expectRecovery();
  });

  test('that reads nothing has a component that waits, with little of its answer held here', async () => {
    const reading = await connectRaw(front, 'GET /big HTTP/1.1', 'Host: a');
    reading.pause();
    await expectHealth();
    await expect.poll(() => front.failures(), { timeout: 5_000 }).toEqual(['component_timed_out']);
    await expectRecovery();
  });

  test('of a thousand at once is answered', async () => {
    const clients = Array.from({ length: 1_000 }, (_, index) =>
      ask(patient.url, { path: index % 2 ? '/count' : '/plain' }),
    );
    const answers = await Promise.all(clients);
    const [served, refused] = [200, 503].map((wanted) => answers.filter(({ status }) => status === wanted));
    expect(served?.length).toBeGreaterThan(0);
    expect(served?.every(({ text }) => text === '11' || text === 'part')).toBe(true);
    expect(refused?.every((answer) => codeOf(answer) === 'component_busy')).toBe(true);
    expect((served?.length ?? 0) + (refused?.length ?? 0)).toBe(1_000);
  });
});

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function* content(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(250_000).fill(1);
}
