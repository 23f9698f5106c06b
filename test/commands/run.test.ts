import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { buildSmallComponent } from '../fakes/small-component.ts';
import { talkingCommand } from '../fakes/talking-command.ts';
import { whoAmI } from '../fakes/who-am-i.ts';
import { type DevService, startDev } from '../support/dev.ts';
import { ask } from '../support/http.ts';
import { type Finished, startSvidx, svidx } from '../support/svidx.ts';

let dev: DevService;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'svidx-'));
  const [started, small, talking, http] = await Promise.all([
    startDev(),
    buildSmallComponent(),
    talkingCommand(),
    whoAmI(),
  ]);
  dev = started;
  await writeFile(join(folder, 'small.wasm'), small);
  await writeFile(join(folder, 'talking.wasm'), talking);
  await writeFile(join(folder, 'http.wasm'), http);
});
afterAll(async () => {
  await dev.close();
  await rm(folder, { recursive: true, force: true });
});

/** Calls a function of the example component, which asks its host for identity and credentials. */
function runExample(component: string, call: string, argument: string, ...more: string[]): Promise<Finished> {
  const args = ['--component', component, '--call', call, '--args', JSON.stringify([argument])];
  return dev.svidx(['run', inject('apiGatewayWasm'), ...args, ...more]);
}

/** Calls a function of the component that imports nothing. What that may do is still asked of the service. */
function runSmall(...args: string[]): Promise<Finished> {
  return dev.svidx(['run', join(folder, 'small.wasm'), '--component', 'api-gateway', ...args]);
}

/** Runs a command with these arguments. */
function runTalking(...words: string[]): Promise<Finished> {
  return dev.svidx(['run', join(folder, 'talking.wasm'), '--component', 'api-gateway', ...words]);
}

describe('run', () => {
  test('prints what a component makes of its own identity', async () => {
    const { code, stdout, stderr } = await runExample('api-gateway', 'claims', 'sts.amazonaws.com');
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(JSON.parse(stdout))).toMatchObject({
      sub: 'spiffe://wasmcloud.dev/spiffe-in-practice/api-gateway',
      aud: ['sts.amazonaws.com'],
      iss: dev.ready.issuer,
    });
  });

  test('prints with --json the credentials that a component was given, their time as a number', async () => {
    const { code, stdout } = await runExample('api-gateway', 'credentials-for', 'bedrock', '--json');
    expect(code).toBe(0);
    const { ok } = JSON.parse(stdout);
    expect(ok).toMatchObject({ tag: 'aws', val: { region: 'us-east-1', accessKeyId: expect.stringMatching(/^ASIA/) } });
    expect(ok.val.expiration * 1000).toBeGreaterThan(Date.now());
  });

  test("prints a component's own error with --json, and ends with 1", async () => {
    const { code, stdout, stderr } = await runExample('ledger', 'credentials-for', 'bedrock', '--json');
    const denied = { code: 'policy_denied', message: 'component "ledger": it has no grant "bedrock"' };
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({ err: { tag: 'denied', val: denied } });
    expect(stderr).toMatch(/^svidx: component_failed: credentials-for returned an error: {"tag":"denied",/);
  });

  test("prints a component's own error on stderr alone without --json", async () => {
    const { code, stdout, stderr } = await runExample('ledger', 'claims', 'sts.amazonaws.com');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^svidx: component_failed: claims returned an error: "policy_denied: component \\"ledger\\"/,
    );
  });

  test('runs nothing without a service, which knows what it may do', async () => {
    const args = ['--component', 'api-gateway', '--call', 'claims', '--args', '["a"]', '--socket', '/nonexistent/x'];
    const { code, stdout, stderr } = await dev.svidx(['run', inject('apiGatewayWasm'), ...args]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^svidx: service_unreachable: /);
  });
});

describe('run prints as JSON', () => {
  test('lists of numbers as lists, what no number holds as text, and what is not there as null', async () => {
    const { code, stdout, stderr } = await runSmall('--call', 'every-kind');
    expect([code, stderr]).toEqual([0, '']);
    const longest = '18446744073709551615';
    expect(JSON.parse(stdout)).toEqual([
      [1, 2, 3, 4],
      [0x201, 0x403],
      ['18446744069481890305'],
      longest,
      null,
      { tag: 'ok', val: null },
    ]);
  });

  test('a result that is nothing, of the function "run" where none is named', async () => {
    expect(await runSmall('--json')).toMatchObject({ code: 0, stdout: '{"ok":null}\n', stderr: '' });
  });

  test('an error that is nothing', async () => {
    expect(await runSmall('--call', 'bad', '--json')).toMatchObject({
      code: 1,
      stdout: '{"err":null}\n',
      stderr: 'svidx: component_failed: bad returned an error: null\n',
    });
  });

  test('what a function makes of its arguments', async () => {
    expect((await runSmall('--call', 'add', '--args', '[40, 2]')).stdout).toBe('42\n');
  });
});

describe('run of a command', () => {
  test('has its file name and its arguments, writes what it writes, as it is, and ends as it ends', async () => {
    const [well, badly, exited] = await Promise.all(
      ['well', 'badly', 'exit'].map((end) => runTalking('o\tü', 'e\x1b[1m', end)),
    );
    const written = { stdout: 'talking.wasmo\tü', stderr: 'e\x1b[1m' };
    expect(well).toMatchObject({ ...written, code: 0 });
    expect(badly).toMatchObject({ ...written, code: 1 });
    expect(exited).toMatchObject({ ...written, code: 7 });
  });

  test('that traps has failed', async () => {
    const { code, stdout, stderr } = await runTalking('out', '', 'trap');
    expect([code, stdout]).toEqual([1, 'talking.wasmout']);
    expect(stderr).toMatch(/^svidx: component_trapped: .*unreachable/);
  });
});

describe('run of an HTTP handler', () => {
  test('answers requests until it is told to end, and writes what the component writes into the log', async () => {
    const args = ['--component', 'api-gateway', '--listen', '127.0.0.1:0', '--json'];
    const running = startSvidx(['run', join(folder, 'http.wasm'), ...args], {
      env: { SVIDX_SOCKET: dev.ready.broker },
    });
    const ready = JSON.parse(await running.firstLine());
    expect(ready).toMatchObject({ ready: true, component: 'api-gateway', digest: expect.stringMatching(/^sha256:/) });
    const question = { method: 'POST', path: '/', headers: { 'X-Marker': 'sts.amazonaws.com' }, body: 'the body' };
    for (let request = 0; request < 2; request += 1) {
      const [calls, token = '', ...rest] = (await ask(ready.url, question)).text.split('\n');
      expect([calls, ...rest]).toEqual(['11', 'sts.amazonaws.com', 'the body']);
      expect(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
        sub: 'spiffe://wasmcloud.dev/spiffe-in-practice/api-gateway',
      });
    }
    await running.logged(/"component":"api-gateway","stream":"stdout","line":"sts.amazonaws.com"/);
    expect(await running.end()).toMatchObject({ code: 0, signal: null });
  });
});

describe('run is refused', () => {
  test.each([
    ['for a function that is not there', ['--call', 'no-such'], 'component_export_unknown'],
    ['for too few arguments', ['--call', 'add', '--args', '[1]'], 'component_export_unknown'],
    ['when the component traps', ['--call', 'trap'], 'component_trapped'],
    ['when the component takes too long', ['--call', 'for-ever', '--timeout', '1s'], 'component_timed_out'],
  ])('%s', async (_, args, problem) => {
    const { code, stdout, stderr } = await runSmall(...args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(new RegExp(`^svidx: ${problem}: `));
  });

  test.each([
    ['that is not there', undefined, 2, 'usage_invalid: .*cannot be read \\(ENOENT\\)'],
    ['that is a core module', '\0asm\u0001\0\0\0', 1, 'component_invalid: .*core WebAssembly module'],
    ['that begins like a component', '\0asm\u000d\0\u0001\0broken', 1, 'component_invalid'],
  ])('for a file %s', async (_, content, exitCode, problem) => {
    const file = join(folder, `${problem.length}-${content?.length}.wasm`);
    if (content !== undefined) await writeFile(file, content);
    const { code, stdout, stderr } = await svidx(['run', file, '--component', 'x']);
    expect([code, stdout]).toEqual([exitCode, '']);
    expect(stderr).toMatch(new RegExp(`^svidx: ${problem}`));
  });
});

test('run needs nothing that only the newest Node.js has: no JavaScript Promise Integration', async () => {
  // Taken away before anything of ours is loaded, also in the threads of components.
  const env = { NODE_OPTIONS: '--import=data:text/javascript,delete%20WebAssembly.Suspending' };
  const args = ['run', inject('apiGatewayWasm'), '--component', 'api-gateway', '--call', 'claims', '--args', '["a"]'];
  const [usual, without] = await Promise.all([dev.svidx(args), dev.svidx(args, { env })]);
  expect(without).toEqual(usual);
});
