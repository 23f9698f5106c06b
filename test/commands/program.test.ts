import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { svidx } from '../support/svidx.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
const COMMANDS = ['serve', 'dev', 'run', 'token', 'credentials', 'exec', 'verify', 'doctor'];
const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzcGlmZmU6Ly9leGFtcGxlLm9yZyJ9.c2lnbmF0dXJl';

describe.concurrent('help', () => {
  test('names every command, on stdout', async () => {
    const { code, stdout, stderr } = await svidx(['--help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  });

  test.each(COMMANDS)('of %s shows an example that begins with its name', async (name) => {
    const { code, stdout, stderr } = await svidx([name, '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^Usage: svidx ${name}`));
    expect(stdout).toMatch(new RegExp(`\\nExamples?:\\n {2}\\$ .*svidx ${name}`));
  });

  test('of a command is given by "help" as well', async () => {
    expect(await svidx(['help', 'token'])).toEqual(await svidx(['token', '-h']));
  });

  test('of dev says that it is for development only', async () => {
    expect((await svidx(['dev', '--help'])).stdout).toMatch(/DEVELOPMENT\s+ONLY/);
  });

  test('names the variable and the default of the socket, whatever the variable is', async () => {
    const { stdout } = await svidx(['token', '--help'], { env: { SVIDX_SOCKET: '/elsewhere' } });
    expect(stdout).toMatch(/--socket <path>.*SVIDX_SOCKET.*\(default:\s+\/run\/svidx\/broker\.sock\)/s);
    expect(stdout).not.toContain('/elsewhere');
  });
});

test('--version prints the version of the package', async () => {
  expect(await svidx(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
});

describe.concurrent('a command line that is wrong ends with 2, and says why on stderr', () => {
  const component = ['--component', 'api-gateway'];
  const audience = ['--audience', 'me'];

  test.each([
    ['no command', [], 'Usage: svidx'],
    ['an unknown command', ['tokens'], "unknown command 'tokens'"],
    ['an unknown option', ['--tokens'], "unknown option '--tokens'"],
    ['an unknown option of a command', ['token', ...component, ...audience, '--evil'], "unknown option '--evil'"],
    ['serve without a configuration', ['serve'], "required option '-c, --config <file>' not specified"],
    ['token without a component', ['token', ...audience], "required option '--component <id>' not specified"],
    ['token without an audience', ['token', ...component], "required option '--audience <audience>' not specified"],
    ['token with a word too many', ['token', 'x', ...component, ...audience], 'too many arguments'],
    ['token for an empty audience', ['token', ...component, '--audience', ''], '--audience: expected a text'],
    ['credentials without a grant', ['credentials', ...component], "missing required argument 'grant'"],
    ['credentials without a component', ['credentials', 'x'], "required option '--component <id>' not specified"],
    [
      'credentials in another format',
      ['credentials', 'x', ...component, '--format', 'xml'],
      "argument 'xml' is invalid. Allowed choices are json, env, process",
    ],
    ['exec without a program', ['exec', ...component], "missing required argument 'command'"],
    ['exec without a component', ['exec', '--', 'true'], "required option '--component <id>' not specified"],
    ['verify without bundles', ['verify', 'x', ...audience], "required option '--bundles <file>' not specified"],
    ['run without a file', ['run', ...component], "missing required argument 'component.wasm'"],
    ['run without a component', ['run', 'x.wasm'], "required option '--component <id>' not specified"],
    [
      'run with arguments that are no list',
      ['run', 'x', ...component, '--args', '{}'],
      '--args: expected a JSON array',
    ],
    ['run without time', ['run', 'x', ...component, '--timeout', '0s'], '--timeout: expected a duration of 1s to 1h'],
    ['dev with another type of key', ['dev', '--key-type', 'rsa-1024'], "argument 'rsa-1024' is invalid"],
    ['dev with keys that live too short', ['dev', '--key-ttl', '59s'], '--key-ttl: expected a duration of 1m to 30d'],
    ['dev with keys that live too long', ['dev', '--key-ttl', '31d'], '--key-ttl: expected a duration of 1m to 30d'],
    ['dev with another level of logging', ['dev', '--log-level', 'loud'], "argument 'loud' is invalid"],
    ['dev in a trust domain in upper case', ['dev', '--trust-domain', 'A'], '--trust-domain: the trust domain name'],
  ])('%s', async (_, args, problem) => {
    const { code, stdout, stderr } = await svidx(args);
    expect(stderr).toContain(problem);
    expect([code, stdout]).toEqual([2, '']);
  });

  test.each([
    ['in place of a command', [TOKEN]],
    ['glued to an option', [`--token=${TOKEN}`]],
    ['in place of a format', ['credentials', 'x', ...component, '--format', TOKEN]],
    ['in place of a file', ['serve', '-c', TOKEN]],
    ['in place of a key type', ['dev', '--key-type', TOKEN]],
  ])('a token %s, which is not repeated', async (_, args) => {
    const { code, stdout, stderr } = await svidx(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('[redacted]');
  });
});
