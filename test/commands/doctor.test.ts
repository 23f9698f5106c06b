import { chmod, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { formatCheck, formatSummary } from '../../src/commands/doctor-report.ts';
import { lookAtAdminSocket } from '../../src/doctor/admin-socket.ts';
import type { Check } from '../../src/doctor/walk.ts';
import { connectApi } from '../support/delegated-identity.ts';
import { type Chain, loadFullConfig, startChain } from '../support/doctor.ts';
import { makeKey } from '../support/jwk.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { talkingSocket } from '../support/sockets.ts';
import { type Finished, svidx } from '../support/svidx.ts';

/** Runs the command; whatever it prints is searched for tokens. */
async function doctor(chain: Chain, ...args: string[]): Promise<Finished> {
  const finished = await svidx(['doctor', '-c', chain.configFile, ...args]);
  expectNoSecrets([finished.stdout, finished.stderr], chain.tokens);
  return finished;
}

describe('svidx doctor', () => {
  test('prints a line for each step, and leaves everything as it was', async () => {
    const chain = await startChain();
    const before = await readdir(chain.folder, { recursive: true });
    const { code, stdout, stderr } = await doctor(chain, '--component', 'api', '--grant', 'models');
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe(
      `✓ configuration        ${chain.configFile}: trust domain example.org, issuer ${chain.issuer.issuer.url}`,
    );
    expect(lines.slice(0, 21).every((line) => line.startsWith('✓ '))).toBe(true);
    expect(lines.slice(21)).toEqual(['', '21 good, 0 to look at, 0 wrong, 0 not looked at.', '']);
    expect(stdout).not.toContain('\u001b');
    // The exchange has the same one, from the memory of the agent.
    expect(chain.tokens).toHaveLength(1);
    expect(await readdir(chain.folder, { recursive: true })).toEqual(before);
  });

  test('prints what to do below what failed, says where to begin, and ends with 1', async () => {
    const chain = await startChain();
    chain.spire.caller = 'unauthorized';
    const { code, stdout, stderr } = await doctor(chain);
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(
      /^✗ delegate {13}identity_delegate_unauthorized: this process .*\n {6}The agent's .*\n {10}authorized_delegates = /m,
    );
    expect(stdout).toMatch(/^- bundle {15}not looked at, since delegate failed$/m);
    expect(stdout).toMatch(/\n\n\d+ good, 0 to look at, 1 wrong, \d+ not looked at\. Begin with delegate\.\n$/);
  });

  test('prints JSON for machines, of a fixed shape', async () => {
    const chain = await startChain();
    const good = await doctor(chain, '--json');
    expect([good.code, good.stderr]).toEqual([0, '']);
    const report: { ok: boolean; checks: Check[] } = JSON.parse(good.stdout);
    expect(Object.keys(report)).toEqual(['ok', 'checks']);
    expect(report.ok).toBe(true);
    for (const check of report.checks) {
      expect(check).toStrictEqual({ name: expect.any(String), status: 'ok', saw: expect.any(String) });
    }

    chain.spire.entries = chain.spire.entries.slice(1);
    await chain.configure({ stsEndpoint: undefined });
    const bad = await doctor(chain, '--json');
    expect([bad.code, bad.stderr]).toEqual([1, '']);
    const failing: { ok: boolean; checks: Check[] } = JSON.parse(bad.stdout);
    expect(failing.ok).toBe(false);
    expect(failing.checks.filter(({ status }) => status !== 'ok')).toStrictEqual([
      {
        name: 'entry/api',
        status: 'fail',
        saw: expect.any(String),
        advice: expect.stringContaining('spire-server entry create'),
        code: 'identity_not_found',
      },
      { name: 'issuer-address', status: 'warn', saw: expect.any(String), advice: expect.any(String) },
    ]);
  });

  test('ends with 0 when there is only something to look at', async () => {
    const chain = await startChain();
    await chain.configure({ stsEndpoint: undefined });
    const { code, stdout } = await doctor(chain);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^! issuer-address {7}127\.0\.0\.1 is this machine: no cloud can reach it\n {6}Give the issuer/m,
    );
  });

  test.each([
    ['a configuration that is wrong', (chain: Chain) => chain.configure({ issuer: 'ftp://x' }), [], 'config_invalid'],
    ['a policy that is wrong', (chain: Chain) => chain.writePolicy('x.yaml', '['), [], 'policy_invalid'],
    ['an unknown component', async () => {}, ['--component', 'nobody'], 'usage_invalid'],
  ])('ends with 2 for %s, and says so in JSON', async (_, breakIt, args, code) => {
    const chain = await startChain();
    await breakIt(chain);
    const finished = await doctor(chain, '--json', ...args);
    expect([finished.code, finished.stderr]).toEqual([2, '']);
    const { ok, checks }: { ok: boolean; checks: Check[] } = JSON.parse(finished.stdout);
    expect([ok, checks.find(({ status }) => status === 'fail')?.code]).toEqual([false, code]);
  });

  test.each([
    ['without a configuration', ['doctor'], "required option '-c, --config <file>' not specified"],
    ['for a grant of nobody', ['doctor', '-c', 'x', '--grant', 'y'], 'usage_invalid: --grant: needs --component'],
  ])('is refused %s', async (_, args, problem) => {
    const { code, stdout, stderr } = await svidx(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(problem);
  });

  test('comes to an end when nobody answers', async () => {
    const chain = await startChain();
    chain.issuer.answer('discovery', () => {});
    const silent = await talkingSocket();
    await chmod(silent, 0o600);
    await chain.configure({ adminSocket: silent, timeout: '1s' });
    const { code, stdout } = await doctor(chain);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ admin-socket .*no answer within 1 s$/m);
    expect(stdout).toMatch(/^✗ issuer-discovery .*ETIMEDOUT/m);
  });

  test('says nothing of what others say that a terminal would obey', async () => {
    const chain = await startChain();
    const evil = { ...(await makeKey('ES256', 'x\u001b]0;evil\u0007\u009b31m')).jwk };
    const { keys } = JSON.parse(chain.spire.authority.jwkSet());
    Object.assign(chain.spire.authority, { jwkSet: () => JSON.stringify({ keys: [...keys, evil] }) });
    const { code, stdout } = await doctor(chain);
    expect(code).toBe(0);
    expect(stdout).toContain('x ]0;evil 31m');
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });
});

describe('the report', () => {
  const check: Check = { name: 'delegate', status: 'fail', saw: 'no', advice: 'do\n    this' };

  test('is in colour on a terminal', () => {
    expect(formatCheck(check, true)).toBe(`\u001b[31m✗ delegate            \u001b[0m no\n      do\n          this`);
    const colours = (['ok', 'warn', 'fail', 'skip'] as const).map((status) =>
      formatCheck({ name: 'x', status, saw: 'y' }, true).slice(0, 5),
    );
    expect(colours).toEqual(['\u001b[32m', '\u001b[33m', '\u001b[31m', '\u001b[90m']);
  });

  test('is not elsewhere', () => {
    expect(formatCheck(check, false)).toBe('✗ delegate             no\n      do\n          this');
    expect(formatSummary([check])).toBe('\n0 good, 0 to look at, 1 wrong, 0 not looked at. Begin with delegate.');
  });
});

describe('an admin socket that this user may not open', () => {
  const isRoot = process.geteuid?.() === 0;
  afterEach(() => {
    if (isRoot) process.seteuid?.(0);
  });

  // Nothing is closed to root, so root becomes nobody; everybody else closes the door to themselves.
  test.each(['folder', 'socket'] as const)('since its %s is closed', async (closed) => {
    const chain = await startChain();
    const config = await loadFullConfig(chain.configFile);
    const api = connectApi(config.spireSocket);
    const folder = dirname(config.spireSocket);
    const mode = isRoot ? 0o700 : 0;
    await chmod(folder, closed === 'folder' ? mode : 0o755);
    await chmod(config.spireSocket, closed === 'socket' ? mode : 0o777);
    if (isRoot) process.seteuid?.(65_534);
    const world = { clock: systemClock, random: Math.random, env: {}, uid: 65_534, limitMs: 2_000 };
    const found = await lookAtAdminSocket(config, api, world);
    if (isRoot) process.seteuid?.(0);
    await chmod(folder, 0o700);
    expect(found).toMatchObject({
      status: 'fail',
      saw: `the user with uid 65534 may not open ${join(folder, 'admin.sock')} (EACCES)`,
      advice: expect.stringMatching(/user that runs the service.*mode 0770.*stat -c %G \//s),
      code: 'identity_unavailable',
    });
  });
});
