import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CompileFolder, openCompileFolder } from '../../src/component/compile-folder.ts';
import type { HttpJob } from '../../src/component/host-side.ts';
import { command } from '../fakes/components.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { MARKS, markedHandler, tokenHandler } from '../fakes/marked-http.ts';
import { holdRequest } from '../support/held-request.ts';
import { type Hosted, type HostedOptions, startHosted } from '../support/hosted.ts';

let A: Uint8Array;
let B: Uint8Array;
let folder: string;
let compileFolder: CompileFolder;
beforeAll(async () => {
  [A, B, folder] = await Promise.all([markedHandler('aa'), markedHandler('bb'), mkdtemp(join(tmpdir(), 'svidx-'))]);
  compileFolder = await openCompileFolder({ path: folder, logger: createMemoryLog().logger });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(options: HostedOptions): Promise<Hosted> {
  return startHosted({ compileFolder, ...options });
}

const ALL_A = 'aa'.repeat(MARKS);
const ALL_B = 'bb'.repeat(MARKS);
const GARBAGE = Buffer.from('not a component');

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function refused(code: string): object {
  return { status: 503, text: JSON.stringify({ code, message: 'the component is not in service' }) };
}

describe('a hosted component', () => {
  test('is loaded from its file, and says so', async () => {
    const { component, log, ask } = await start({ bytes: A });
    expect(await ask()).toMatchObject({ status: 200, text: ALL_A });
    const digest = digestOf(A);
    expect(component.digest()).toBe(digest);
    expect(component.health()).toMatchObject({ state: 'up', reason: `${digest} is in service` });
    expect(log.entries()).toMatchObject([{ event: 'component.loaded', component: 'api', digest }]);
  });

  test('is replaced when its file changes, and a request under way is finished by the old one', async () => {
    const { component, log, ask, arrivals, retired, write, url } = await start({ bytes: A });
    const held = holdRequest(url);
    await arrivals.next();
    await write(B);
    expect((await ask('x')).text).toBe(ALL_A);
    await component.check();
    expect((await ask('x')).text).toBe(ALL_B);
    expect(await held.finish()).toMatchObject({ status: 200, text: ALL_A });
    expect(await Promise.all(retired)).toEqual([digestOf(A)]);
    expect(log.entries().at(-1)).toMatchObject({
      event: 'component.replaced',
      digest: digestOf(B),
      replaced: digestOf(A),
    });
  });

  test('drops no request while it is replaced again and again, and no answer is of both', async () => {
    const { component, ask, write } = await start({ bytes: A, limits: { maxWaiting: 1_000 } });
    const texts = new Set<string>();
    let over = false;
    const client = async (): Promise<void> => {
      while (!over) {
        const { status, text } = await ask('x');
        texts.add(`${status} ${text}`);
      }
    };
    const clients = Array.from({ length: 12 }, client);
    for (const bytes of [B, A, B, A, B]) {
      await write(bytes);
      await component.check();
    }
    over = true;
    await Promise.all(clients);
    expect([...texts].sort()).toEqual([`200 ${ALL_A}`, `200 ${ALL_B}`]);
  });

  test('hands a request on in the moment in which it looks what is in service: nothing can be retired in between', async () => {
    const { component, arrivals } = await start({ bytes: A });
    const job: HttpJob = {
      kind: 'http',
      request: { method: 'GET', scheme: 'http', authority: 'a', pathWithQuery: '/', headers: [] },
      body: undefined,
      trailers: () => undefined,
      respond() {},
      refuse() {},
    };
    const served = component.serve(job, new AbortController().signal);
    expect(arrivals.all).toEqual([digestOf(A)]);
    await served;
  });

  test('lets those who wait for the old one be served by it', async () => {
    const { component, ask, arrivals, write, url } = await start({ bytes: A, limits: { instances: 1 } });
    const held = holdRequest(url);
    await arrivals.next();
    const waiting = holdRequest(url);
    await arrivals.next();
    await write(B);
    await component.check();
    expect((await ask()).text).toBe(ALL_B);
    expect((await held.finish()).text).toBe(ALL_A);
    expect((await waiting.finish()).text).toBe(ALL_A);
  });

  test('stays the last good one while its file is bad, says why once, and goes on with a good one', async () => {
    const { component, log, ask, write } = await start({ bytes: A });
    for (const bad of [A.subarray(0, A.length / 2), GARBAGE]) {
      await write(bad);
      await component.check();
      await component.check();
      expect((await ask()).text).toBe(ALL_A);
    }
    expect(component.health()).toMatchObject({
      state: 'degraded',
      code: 'component_invalid',
      reason: expect.stringContaining(`${digestOf(A)} stays in service: not a WebAssembly component`),
    });
    const failures = log.entries().filter(({ event }) => event === 'component.load_failed');
    expect(failures).toMatchObject([
      { error: { code: 'component_invalid' } },
      { error: { code: 'component_invalid' } },
    ]);

    await write(B);
    await component.check();
    expect((await ask()).text).toBe(ALL_B);
    expect(component.health().state).toBe('up');
  });

  test('is looked at again by itself', async () => {
    const { clock, component, ask, write } = await start({ bytes: A });
    await write(B);
    await clock.advance(2_000);
    // The poll has begun a look, and this one comes after it.
    await component.check();
    expect((await ask()).text).toBe(ALL_B);
  });
});

describe('what cannot be loaded', () => {
  test('answers 503 with the code and nothing else, and is loaded when there is something', async () => {
    const { component, file, ask, write } = await start({});
    expect(await ask()).toMatchObject(refused('config_invalid'));
    expect(component.digest()).toBeUndefined();
    expect(component.health()).toEqual({
      state: 'down',
      code: 'config_invalid',
      reason: `${file}: cannot be read (ENOENT)`,
    });
    await write(A);
    await component.check();
    expect(await ask()).toMatchObject({ status: 200, text: ALL_A });
  });

  test('leaves no thread behind', async () => {
    const { retired } = await start({ bytes: await command(), policy: 'wasi: [clocks]' });
    expect(await Promise.all(retired)).toEqual([digestOf(await command())]);
  });

  test.each([
    ['no component', async () => GARBAGE, 'component_invalid'],
    ['no HTTP handler', command, 'component_export_unknown'],
    ['one that traps at once', () => markedHandler('x', 'unreachable'), 'component_trapped'],
    ['one that imports what its policy does not grant', tokenHandler, 'component_import_denied'],
  ])('%s', async (_, build, code) => {
    const policy = 'wasi: [clocks]';
    const { component, log, ask } = await start({ bytes: await build(), policy });
    expect(await ask()).toMatchObject(refused(code));
    expect(component.health()).toMatchObject({ state: 'down', code });
    expect(log.entries().at(0)).toMatchObject({ event: 'component.load_failed', component: 'api', error: { code } });
  });

  test('is tried again after a while where the file may be good, and only then', async () => {
    const { component, clock, loads } = await start({ bytes: await markedHandler('x', 'unreachable') });
    for (const [ms, expected] of [
      [29_000, 1],
      [1_000, 2],
      [29_000, 2],
      [1_000, 3],
    ] as const) {
      await clock.advance(ms);
      await component.check();
      expect(loads()).toBe(expected);
    }
  });

  test('is not tried again where bytes and policy are as they were', async () => {
    const { component, clock, loads, setPolicy } = await start({ bytes: GARBAGE });
    await clock.advance(600_000);
    await component.check();
    expect(loads()).toBe(1);
    setPolicy('audiences: [me, you]');
    await component.check();
    expect(loads()).toBe(2);
  });

  test('is not even compiled where the policy does not allow it', async () => {
    const { ask, loads } = await start({ bytes: A, policy: `digest: ${digestOf(B)}\naudiences: [me]` });
    expect(await ask()).toMatchObject(refused('policy_denied'));
    expect(loads()).toBe(0);
  });
});

describe('when the policy changes', () => {
  test('nothing happens to what it still allows', async () => {
    const { component, ask, loads, setPolicy } = await start({ bytes: A });
    setPolicy('audiences: [me, you]');
    expect((await ask()).text).toBe(ALL_A);
    await component.check();
    expect((await ask()).text).toBe(ALL_A);
    expect(loads()).toBe(1);
  });

  test('the next request is refused once there is none, whoever has noticed', async () => {
    const { component, log, ask, retired, setPolicy } = await start({ bytes: A });
    expect((await ask()).status).toBe(200);
    setPolicy(undefined);
    expect(await ask()).toMatchObject(refused('policy_denied'));
    expect(component.health()).toMatchObject({ state: 'down', code: 'policy_denied' });
    expect(await Promise.all(retired)).toEqual([digestOf(A)]);
    expect(log.entries().filter(({ event, level }) => event !== undefined && level !== 'debug')).toMatchObject([
      { event: 'component.loaded' },
      { event: 'component.stopped', component: 'api', digest: digestOf(A), error: { code: 'policy_denied' } },
    ]);

    setPolicy('audiences: [me]');
    await component.check();
    expect(await ask()).toMatchObject({ status: 200, text: ALL_A });
  });

  test('so it is once an import is not granted any more', async () => {
    const { component, ask, setPolicy } = await start({ bytes: await tokenHandler() });
    expect((await ask()).status).toBe(200);
    setPolicy('wasi: [clocks]');
    expect(await ask()).toMatchObject(refused('component_import_denied'));
    setPolicy('audiences: [me]');
    await component.check();
    expect((await ask()).status).toBe(200);
  });

  test('a bad file is no reason to keep what the policy does not allow', async () => {
    const { component, log, ask, write, setPolicy } = await start({ bytes: A });
    await write(GARBAGE);
    await component.check();
    expect((await ask()).status).toBe(200);
    setPolicy(`digest: ${digestOf(B)}\naudiences: [me]`);
    expect(await ask()).toMatchObject(refused('policy_denied'));
    expect(component.health()).toMatchObject({ state: 'down', code: 'policy_denied' });
    expect(log.lines.join()).toContain('component.stopped');
  });

  test('what is said of what runs and of what the file holds is told once', async () => {
    const { component, write, setPolicy } = await start({ bytes: A, policy: 'wasi: [clocks]' });
    await write(await tokenHandler());
    await component.check();
    expect(component.health()).toMatchObject({ state: 'degraded', code: 'component_import_denied' });
    setPolicy(undefined);
    await component.check();
    expect(component.health()).toMatchObject({ state: 'down', reason: 'component "api": no policy names it' });
  });

  test('other bytes that it pins are loaded when they are there', async () => {
    const { component, ask, write, setPolicy } = await start({ bytes: A });
    setPolicy(`digest: ${digestOf(B)}\naudiences: [me]`);
    expect(await ask()).toMatchObject(refused('policy_denied'));
    await write(B);
    await component.check();
    expect(await ask()).toMatchObject({ status: 200, text: ALL_B });
  });

  test('no request is dropped where the file that it pins was there before', async () => {
    const { component, ask, write, setPolicy } = await start({
      bytes: A,
      policy: `digest: ${digestOf(A)}\naudiences: [me]`,
    });
    await write(B);
    await component.check();
    expect((await ask()).text).toBe(ALL_A);
    expect(component.health()).toMatchObject({ state: 'degraded', code: 'policy_denied' });
    setPolicy(`digest: ${digestOf(B)}\naudiences: [me]`);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('x')));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set([`200 ${ALL_B}`]));
    expect(component.health().state).toBe('up');
  });

  test('requests under way finish, those that wait for it are refused', async () => {
    const { ask, arrivals, url, setPolicy } = await start({ bytes: A, limits: { instances: 1 } });
    const held = holdRequest(url);
    await arrivals.next();
    const waiting = holdRequest(url);
    await arrivals.next();
    setPolicy(undefined);
    expect(await ask()).toMatchObject(refused('policy_denied'));
    expect(await waiting.answer).toMatchObject(refused('policy_denied'));
    expect(await held.finish()).toMatchObject({ status: 200, text: ALL_A });
  });

  test('those that wait are served by the bytes that it allows instead, where they are there', async () => {
    const { ask, arrivals, url, write, setPolicy } = await start({ bytes: A, limits: { instances: 1 } });
    const held = holdRequest(url);
    await arrivals.next();
    const waiting = holdRequest(url);
    await arrivals.next();
    await write(B);
    setPolicy(`digest: ${digestOf(B)}\naudiences: [me]`);
    const asked = ask();
    expect((await waiting.finish()).text).toBe(ALL_B);
    expect((await asked).text).toBe(ALL_B);
    expect((await held.finish()).text).toBe(ALL_A);
  });
});

test('a closed one answers no more', async () => {
  const { component, ask } = await start({ bytes: A });
  component.close();
  expect(await ask()).toMatchObject(refused('service_stopping'));
});
