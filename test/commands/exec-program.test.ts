import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { makeOld } from '../support/abandoned.ts';
import { envOf, exec, FILES_POLICY, lives, socketFolders, startExec, withFiles, words } from '../support/exec.ts';
import { svidx } from '../support/svidx.ts';
import { startWorld } from '../support/world.ts';

/** Says that it is there, and tells of each signal; ends with 3 at the second. */
const TELL_SIGNALS = `
let seen = 0;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
  process.on(name, () => { console.log(name); if (++seen === 2) process.exit(3); });
}
setInterval(() => {}, 1000);
console.log(process.pid);
`;

const WAIT_FOR_EVER = 'setInterval(() => {}, 1000); console.log(process.pid)';

async function isAlive(pid: number): Promise<boolean> {
  return await realpath(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}

describe('the end', () => {
  test.each([0, 1, 7, 126, 255])('of a program with exit code %i is ours', async (code) => {
    expect(await exec(await startWorld(), `process.exit(${code})`)).toMatchObject({ code, stderr: '' });
  });

  test.each([
    ['SIGKILL', 137],
    ['SIGTERM', 143],
    ['SIGABRT', 134],
  ])('of a program by %s is 128 and its number', async (signal, code) => {
    expect(await exec(await startWorld(), `process.kill(process.pid, '${signal}')`)).toMatchObject({ code });
  });

  test('gives back all that the program had', async () => {
    const world = await startWorld();
    const script = `fetch(process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI, { headers: { Authorization: process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN } })
      .then((answer) => console.log(JSON.stringify({ status: answer.status, uri: answer.url, secret: process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN })))`;
    const { stdout } = await exec(world, script);
    const { status, uri, secret } = JSON.parse(stdout);
    expect(status).toBe(200);
    expect((await fetch(uri, { headers: { Authorization: secret } })).status).toBe(401);
    await expect.poll(() => socketFolders(world)).toEqual([]);
    expect(lives(world)).toEqual(['session.open', 'workload_api.open', 'session.revoke', 'session.refuse']);
  });

  test('comes when the program says so, whatever signal we are sent', async () => {
    const world = await startWorld();
    const running = startExec(world, TELL_SIGNALS);
    await running.firstLine();
    running.signal('SIGHUP');
    await running.printed(/SIGHUP\n/);
    expect(await socketFolders(world)).toHaveLength(1);
    running.signal('SIGINT');
    const { code, stdout } = await running.finished();
    expect([code, stdout.split('\n').slice(1)]).toEqual([3, ['SIGHUP', 'SIGINT', '']]);
    expect(lives(world)).toContain('session.revoke');
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGQUIT', 131],
    ['SIGHUP', 129],
  ] as const)('by %s, which ends the program too', async (signal, code) => {
    const world = await startWorld();
    const running = startExec(world, WAIT_FOR_EVER);
    const pid = Number(await running.firstLine());
    running.signal(signal);
    expect(await running.finished()).toMatchObject({ code, stderr: '' });
    expect(await isAlive(pid)).toBe(false);
    await expect.poll(() => socketFolders(world)).toEqual([]);
  });

  test('of ours by SIGKILL closes the Workload API, whatever becomes of the program', async () => {
    const world = await startWorld();
    const running = startExec(world, WAIT_FOR_EVER);
    const pid = Number(await running.firstLine());
    expect(await socketFolders(world)).toHaveLength(1);
    running.signal('SIGKILL');
    await expect.poll(() => socketFolders(world)).toEqual([]);
    process.kill(pid, 'SIGKILL');
  });

  test('of ours by SIGKILL leaves its token files to the next, which removes them', async () => {
    const world = await withFiles();
    const script = `console.log(process.env.AWS_WEB_IDENTITY_TOKEN_FILE); ${WAIT_FOR_EVER}`;
    const running = startExec(world, script);
    const left = dirname(await running.firstLine());
    const [, pid] = await running.printed(/\n(\d+)\n/);
    const staying = startExec(world, script);
    const kept = dirname(await staying.firstLine());
    await Promise.all([makeOld(left), makeOld(kept)]);
    running.signal('SIGKILL');
    process.kill(Number(pid), 'SIGKILL');
    await running.finished();
    expect((await readdir(left)).toSorted()).toEqual(['.alive', 'models']);
    expect((await exec(world, '')).code).toBe(0);
    await expect(lstat(left)).rejects.toThrow('ENOENT');
    // The one that lives keeps its own.
    expect((await readdir(kept)).toSorted()).toEqual(['.alive', 'models']);
    await staying.end();
    await expect(lstat(kept)).rejects.toThrow('ENOENT');
  });

  test('of the service does not end the program, and is told', async () => {
    const world = await startWorld();
    const running = startExec(world, `process.stdin.on('data', () => {}); ${TELL_SIGNALS}`);
    await running.firstLine();
    await world.service.close();
    await running.logged(/exec\.service_gone/);
    running.signal('SIGTERM');
    await running.printed(/SIGTERM\n/);
    running.signal('SIGTERM');
    const { code, stderr } = await running.finished();
    expect(code).toBe(3);
    expect(stderr).toContain('exec.session_not_revoked');
  });
});

describe('nothing is started', () => {
  test.each([
    ['for a component without a policy', 'nobody', [], 'policy_denied: component "nobody": no policy names it'],
    [
      'for a grant that is not there',
      'api',
      ['--grant', 'else'],
      'policy_denied: component "api": it has no grant "else"',
    ],
    [
      "for another component's grant",
      'ledger',
      ['--grant', 'models'],
      'policy_denied: component "ledger": it has no grant',
    ],
  ])('%s', async (_, component, more, problem) => {
    const world = await startWorld();
    const finished = await svidx(words(world, 'console.log("started")', component, more));
    expect(finished).toMatchObject({ code: 1, stdout: '' });
    expect(finished.stderr).toContain(`svidx: ${problem}`);
    expect(await socketFolders(world)).toEqual([]);
  });

  test('where no service answers', async () => {
    const finished = await svidx(['exec', '--component', 'api', '--socket', '/nowhere.sock', '--', 'echo', 'started']);
    expect(finished).toMatchObject({ code: 1, stdout: '' });
    expect(finished.stderr).toMatch(/^svidx: service_unreachable: /);
  });

  test('where an SDK can have one grant and there are two, and one of them can be chosen', async () => {
    const second = FILES_POLICY.replace(
      / {2}blobs:[\s\S]*/,
      `  more:
    aws: { roleArn: arn:aws:iam::111122223333:role/more, region: eu-central-1 }
`,
    );
    const world = await startWorld({ policies: { 'api.yaml': second } });
    const finished = await exec(world, 'console.log("started")');
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toBe('svidx: usage_invalid: --grant: expected one of the aws grants: models, more\n');
    expect(lives(world)).toEqual(['session.open', 'workload_api.open', 'session.revoke']);
    expect((await envOf(world, {}, ['--grant', 'more']))['AWS_CONTAINER_CREDENTIALS_FULL_URI']).toMatch(/more$/);
  });

  test.each([
    ['that is not there', ['svidx-no-such-program'], 127, 'ENOENT'],
    ['that is no program', ['/etc/passwd'], 126, 'EACCES'],
  ])('for a program %s', async (_, command, code, reason) => {
    const world = await startWorld();
    const finished = await svidx([
      'exec',
      '--component',
      'api',
      '--socket',
      world.config.brokerSocket,
      '--',
      ...command,
    ]);
    expect(finished).toMatchObject({
      code,
      stdout: '',
      stderr: `svidx: ${command[0]}: cannot be started (${reason})\n`,
    });
    expect(lives(world)).toEqual(['session.open', 'workload_api.open', 'session.revoke']);
  });
});

test('stdin, stdout and stderr are those of the program', async () => {
  const world = await startWorld();
  const script = `process.stdin.pipe(process.stdout); console.error('to stderr')`;
  expect(await exec(world, script, { stdin: 'to stdout' })).toMatchObject({
    stdout: 'to stdout',
    stderr: 'to stderr\n',
  });
});

test('arguments reach the program as they are', async () => {
  const world = await startWorld();
  const socket = ['--component', 'api', '--socket', world.config.brokerSocket];
  const args = ['--', '-x', '--component', 'else', '', 'a b', '$HOME', "'"];
  const script = 'console.log(JSON.stringify(process.argv.slice(1)))';
  const { stdout } = await svidx(['exec', ...socket, '--', process.execPath, '-e', script, ...args]);
  expect(JSON.parse(stdout)).toEqual(args.slice(1));
});

test('the socket of one component gives its program nothing of another', async () => {
  const world = await startWorld();
  // A broker client, by which a host asks on behalf of anybody, gets nothing where a component asks.
  const { stdout } = await exec(world, 'console.log(process.env.SPIFFE_ENDPOINT_SOCKET)');
  const path = stdout.trim().replace('unix://', '');
  await expect(createBrokerClient(path).identity({ component: 'ledger' }, ['vault.example.org'])).rejects.toMatchObject(
    {
      code: 'service_unreachable',
    },
  );
  await expect(readFile(path)).rejects.toThrow('ENOENT');
});
