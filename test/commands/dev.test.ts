import { once } from 'node:events';
import { lstat, mkdir, readdir, watch, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UNPINNED_POLICY } from '../support/policies.ts';
import { type Running, startSvidx, svidx } from '../support/svidx.ts';
import { tempFolder } from '../support/temp.ts';

const ENTRIES = `entries:
  - spiffeId: spiffe://example.org/team/api
    selectors: [wasmcloud:component:api]
    jwtSvidTtl: 1h
`;

interface Dev {
  readonly running: Running;
  /** The folder for temporary files that it is given. */
  readonly tmp: string;
}

async function startDev(args: readonly string[], made?: string): Promise<Dev> {
  const tmp = made ?? (await tempFolder());
  const running = startSvidx(['dev', ...args], { env: { TMPDIR: tmp } });
  onTestFinished(async () => void (await running.end()));
  return { running, tmp };
}

/** `svidx dev` that is refused: its exit code, what it says, and what it leaves in its temporary folder. */
async function refused(
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string; left: string[] }> {
  const tmp = await tempFolder();
  const { code, stdout, stderr } = await svidx(['dev', '--json', ...args], { env: { TMPDIR: tmp } });
  return { code, stdout, stderr, left: await readdir(tmp) };
}

async function policyFolder(text = UNPINNED_POLICY): Promise<string> {
  const folder = await tempFolder();
  await writeFile(join(folder, 'api.yaml'), text);
  return folder;
}

async function file(name: string, text: string): Promise<string> {
  const path = join(await tempFolder(), name);
  await writeFile(path, text);
  return path;
}

describe('dev', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'says where everything is, and is gone without a trace by %s',
    async (name) => {
      const { running, tmp } = await startDev(['--json']);
      const ready = JSON.parse(await running.firstLine());
      const [folder = ''] = await readdir(tmp);
      expect(ready).toStrictEqual({
        ready: true,
        issuer: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
        discovery: `${ready.issuer}/.well-known/openid-configuration`,
        broker: `unix:${join(tmp, folder, 'broker.sock')}`,
        endpoints: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
        sts: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
        model: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
        spire: `unix:${join(tmp, folder, 'spire-admin.sock')}`,
      });
      expect((await lstat(join(tmp, folder))).mode & 0o777).toBe(0o700);
      expect((await lstat(join(tmp, folder, 'broker.sock'))).mode & 0o777).toBe(0o600);
      expect(await (await fetch(ready.discovery)).json()).toMatchObject({ issuer: ready.issuer });

      running.signal(name);
      expect(await running.finished()).toMatchObject({ code: 0, signal: null });
      expect(await readdir(tmp)).toEqual([]);
      await expect(fetch(ready.discovery)).rejects.toThrow('fetch failed');
    },
  );

  test('is gone without a trace by a signal while it still makes its keys', async () => {
    const tmp = await tempFolder();
    const created = watch(tmp)[Symbol.asyncIterator]();
    const first = created.next();
    const { running } = await startDev(['--json', '--key-type', 'rsa-4096'], tmp);
    await first;
    running.signal('SIGTERM');
    const { code, signal, stderr } = await running.finished();
    await created.return?.();
    expect([code, signal], stderr).toEqual([0, null]);
    expect(await readdir(tmp)).toEqual([]);
  });

  test('without --json says in words what to type next, and that it is for development only', async () => {
    const { running, tmp } = await startDev([]);
    expect(await running.firstLine()).toContain('DEVELOPMENT ONLY');
    const { stdout, stderr } = await running.end();
    expect(stdout).toContain(`  export SVIDX_SOCKET=${tmp}/svidx-dev-`);
    expect(stdout).toContain('  svidx token --component api-gateway --audience sts.amazonaws.com\n');
    expect(stdout).toContain('  svidx credentials bedrock --component api-gateway\n');
    expect(stdout).toMatch(/^ {2}model {6}http:\/\/127\.0\.0\.1:\d+$/m);
    expect(stderr).toContain('DEVELOPMENT ONLY');
  });

  test('signs with the type of key that is asked for', async () => {
    const { running } = await startDev(['--json', '--key-type', 'rsa-2048', '--listen', 'localhost:0']);
    const { discovery } = JSON.parse(await running.firstLine());
    expect(await (await fetch(discovery)).json()).toMatchObject({ id_token_signing_alg_values_supported: ['RS256'] });
  });

  test('has its local AWS where the user says', async () => {
    const { running } = await startDev(['--json', '--sts-listen', '[::1]:0', '--model-listen', 'localhost:0']);
    expect(JSON.parse(await running.firstLine())).toMatchObject({
      sts: expect.stringMatching(/^http:\/\/\[::1\]:\d+$/),
      model: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    });
  });

  test('takes policies, entries, a trust domain and a socket of the user', async () => {
    const socket = join(await tempFolder(), 'my.sock');
    const { running } = await startDev([
      ...['--json', '--trust-domain', 'example.org', '--policies', await policyFolder()],
      ...['--entries', await file('entries.yaml', ENTRIES), '--socket', socket, '--listen', '[::1]:0'],
    ]);
    const { broker, issuer } = JSON.parse(await running.firstLine());
    expect([broker, issuer]).toEqual([`unix:${socket}`, expect.stringMatching(/^http:\/\/\[::1\]:\d+$/)]);
    const args = ['token', '--component', 'api', '--audience', 'sts.amazonaws.com', '--socket', socket, '--json'];
    const token = JSON.parse((await svidx(args)).stdout);
    expect(token.spiffeId).toBe('spiffe://example.org/team/api');
    // The entry of the user has one hour, the one that would be made for the policy five minutes.
    expect(Date.parse(token.expiresAt) - Date.now()).toBeGreaterThan(3_000_000);
    expect((await running.end()).code).toBe(0);
    await expect(lstat(socket)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('has no identity for a component that its entries do not know', async () => {
    const entries = await file('entries.yaml', ENTRIES.replace('component:api', 'component:other'));
    const { running } = await startDev([
      ...['--json', '--trust-domain', 'example.org', '--policies', await policyFolder(), '--entries', entries],
    ]);
    const { broker } = JSON.parse(await running.firstLine());
    const result = await svidx(['token', '--component', 'api', '--audience', 'sts.amazonaws.com', '--socket', broker]);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(/^svidx: identity_not_found: /);
  });
});

describe('when nobody reads any more what it writes', () => {
  test('on stderr, a service goes on', async () => {
    const { running, tmp } = await startDev(['--json', '--log-level', 'trace']);
    const { broker } = JSON.parse(await running.firstLine());
    running.stopReading('stderr');
    const token = ['token', '--component', 'api-gateway', '--audience', 'sts.amazonaws.com', '--socket', broker];
    for (let request = 0; request < 2; request += 1) expect((await svidx(token)).code).toBe(0);
    expect(await running.end()).toMatchObject({ code: 0, signal: null });
    expect(await readdir(tmp)).toEqual([]);
  });

  test('on stdout, a service goes on, still tidies up, and ends with 1', async () => {
    const tmp = await tempFolder();
    const socket = join(tmp, 'b.sock');
    const { running } = await startDev(['--json', '--log-level', 'trace', '--socket', socket], tmp);
    running.stopReading('stdout');
    await running.logged(/bundles\.changed/);
    const args = ['--component', 'api-gateway', '--audience', 'sts.amazonaws.com', '--socket', socket];
    expect((await svidx(['token', ...args])).code).toBe(0);
    const { code, signal, stderr } = await running.end();
    expect([code, signal]).toEqual([1, null]);
    expect(stderr).not.toContain('EPIPE');
    expect(await readdir(tmp)).toEqual([]);
  });

  test('on stdout, a command ends with 1 and without a word', async () => {
    const running = startSvidx(['--help']);
    running.stopReading('stdout');
    expect(await running.finished()).toMatchObject({ code: 1, signal: null, stderr: '' });
  });
});

describe('dev is refused', () => {
  test.each([
    ['--listen', '0.0.0.0:0'],
    ['--listen', '[::]:0'],
    ['--listen', '192.0.2.1:0'],
    ['--listen', '[2001:db8::1]:0'],
    ['--listen', '[::ffff:127.0.0.1]:0'],
    ['--listen', 'example.org:0'],
    ['--sts-listen', '0.0.0.0:0'],
    ['--model-listen', '192.0.2.1:0'],
  ])('with %s %s: it is for development only', async (option, listen) => {
    const { code, stdout, stderr, left } = await refused(option, listen);
    expect([code, stdout, left]).toEqual([2, '', []]);
    expect(stderr).toMatch(new RegExp(`^svidx: usage_invalid: ${option}: .*development only.*loopback`));
  });

  test.each(['--listen', '--sts-listen', '--model-listen'])('with %s at a port that is taken', async (option) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { code, stdout, stderr, left } = await refused(option, `127.0.0.1:${port}`);
    expect([code, stdout, left]).toEqual([2, '', []]);
    expect(stderr).toContain(`config_invalid: cannot listen on 127.0.0.1:${port} (EADDRINUSE)`);
  });

  test('with policies that are wrong', async () => {
    const folder = await policyFolder(UNPINNED_POLICY.replace('us-east-1', 'moon'));
    const { code, stdout, stderr, left } = await refused('--trust-domain', 'example.org', '--policies', folder);
    expect([code, stdout, left]).toEqual([2, '', []]);
    expect(stderr).toBe(
      `svidx: policy_invalid: ${folder}/api.yaml:9: grants.models.aws.region: expected an AWS region, such as us-east-1\n`,
    );
  });

  test('with the sample policies in another trust domain than theirs', async () => {
    const { code, stderr } = await refused('--trust-domain', 'example.org');
    expect(code).toBe(2);
    expect(stderr).toMatch(/api-gateway\.yaml:5: spiffeId: expected an ID in the trust domain example\.org/);
  });

  test.each([
    ['a key that is unknown', `${ENTRIES}evil: 1\n`, '5: evil: unknown key'],
    ['an entry without selectors', ENTRIES.replace('[wasmcloud:component:api]', '[]'), '3: entries[0].selectors: '],
    [
      'an entry of another trust domain',
      ENTRIES.replace('example.org', 'example.com'),
      '2: spiffeId: expected an ID in the trust domain example.org',
    ],
  ])('with entries that hold %s', async (_, text, problem) => {
    const entries = await file('entries.yaml', text);
    const policies = ['--trust-domain', 'example.org', '--policies', await policyFolder()];
    const { code, stdout, stderr, left } = await refused(...policies, '--entries', entries);
    expect([code, stdout, left]).toEqual([2, '', []]);
    expect(stderr).toContain(`svidx: config_invalid: ${entries}:${problem}`);
  });

  test('with entries that are not there', async () => {
    const { code, stderr } = await refused('--entries', '/nonexistent/entries.yaml');
    expect([code, stderr]).toEqual([
      2,
      'svidx: usage_invalid: --entries: /nonexistent/entries.yaml: cannot be read (ENOENT)\n',
    ]);
  });

  test('with a socket that is another file, and leaves nothing but that', async () => {
    const socket = await file('broker.sock', 'precious');
    const { code, stdout, stderr, left } = await refused('--socket', socket);
    expect([code, stdout, left]).toEqual([2, '', []]);
    expect(stderr).toContain(`config_invalid: the private socket ${socket}: a file of that name is there`);
  });

  test('and ends, when its temporary folder has too long a name for a socket', async () => {
    const tmp = join(await tempFolder(), 'x'.repeat(100));
    await mkdir(tmp);
    const { code, stdout } = await svidx(['dev', '--json'], { env: { TMPDIR: tmp } });
    expect([code, stdout]).toEqual([1, '']);
    expect(await readdir(tmp)).toEqual([]);
  });
});
