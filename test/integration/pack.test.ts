import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { runProgram, startProgram } from '../support/cli.ts';
import { tempFolder } from '../support/temp.ts';

const ROOT = join(import.meta.dirname, '../..');

/**
 * npm as a user has it: what the machine says about proxies and certificate authorities, and nothing of the `npm test` that
 * runs us.
 */
const env: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(npm_|INIT_CWD|VITEST|NODE_ENV|NODE_OPTIONS|TEST|SVIDX_|SPI)/i.test(name),
  ),
);

test('the packed tarball, installed in an empty folder, gives a working svidx', { timeout: 120_000 }, async () => {
  const folder = await tempFolder();
  const packed = await runProgram('npm', ['pack', '--pack-destination', folder], { cwd: ROOT, env });
  expect(packed.code, packed.stderr).toBe(0);
  const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));

  const home = join(folder, 'elsewhere');
  await mkdir(home);
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--prefix', home, join(folder, tarball)];
  const installed = await runProgram('npm', install, { cwd: home, env });
  expect(installed.code, installed.stderr).toBe(0);

  const svidx = join(home, 'node_modules/.bin/svidx');
  const version = await runProgram(svidx, ['--version'], { env });
  expect(version).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });

  const dev = await startProgram(svidx, ['dev', '--json'], { cwd: home, env });
  onTestFinished(async () => void (await dev.stop()));
  const withSocket = { ...env, SVIDX_SOCKET: dev.ready['broker'] };

  const discovery = await (await fetch(dev.ready['discovery'] ?? '')).json();
  expect(discovery).toMatchObject({ issuer: dev.ready['issuer'] });

  const process = ['credentials', 'bedrock', '--component', 'api-gateway', '--format', 'process'];
  const credentials = await runProgram(svidx, process, { env: withSocket });
  expect(JSON.parse(credentials.stdout)).toMatchObject({ Version: 1, AccessKeyId: expect.stringMatching(/^ASIA/) });

  const run = ['run', inject('apiGatewayWasm'), '--component', 'api-gateway', '--call', 'claims'];
  const claims = await runProgram(svidx, [...run, '--args', '["sts.amazonaws.com"]'], { env: withSocket });
  expect(claims.code, claims.stderr).toBe(0);
  expect(claims.stdout).toContain('spiffe://wasmcloud.dev/spiffe-in-practice/api-gateway');

  // The library, for a host that is not ours: with its types, and as it runs.
  const program = join(home, 'own-host.mts');
  await copyFile(join(ROOT, 'examples/own-host.ts'), program);
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,dom'];
  const typeRoots = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  const checked = await runProgram(tsc, [...strict, ...typeRoots, program], { cwd: home, env });
  expect(checked.stdout).toBe('');
  const asked = [program, inject('apiGatewayWasm'), 'api-gateway', 'sts.amazonaws.com'];
  const own = await runProgram('node', asked, { cwd: home, env: withSocket });
  expect(own.code, own.stderr).toBe(0);
  expect(JSON.parse(own.stdout)).toMatchObject({ sub: 'spiffe://wasmcloud.dev/spiffe-in-practice/api-gateway' });

  expect(await dev.stop()).toBe(0);
});

test('the tarball holds what it runs on and no sources', async () => {
  const { stdout } = await runProgram('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, env });
  const [{ files }] = JSON.parse(stdout);
  const paths: string[] = files.map(({ path }: { path: string }) => path);
  expect(paths).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'policies/api-gateway.yaml']));
  expect(paths.filter((path) => /^(src|test|bench|examples)\/|\.wasm$/.test(path))).toEqual([]);
});
