import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { type Finished, type Running, type SvidxOptions, startSvidx, svidx } from '../support/svidx.ts';
import { startWorld, type World, type WorldOptions } from '../support/world.ts';

const FILES_POLICY = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
audiences: [sts.amazonaws.com, api://AzureADTokenExchange]
grants:
  models:
    aws: { roleArn: arn:aws:iam::111122223333:role/models, region: eu-central-1, duration: 15m }
  blobs:
    azure:
      tenantId: 11111111-2222-3333-4444-555555555555
      clientId: 66666666-7777-8888-9999-000000000000
      scope: https://storage.azure.com/.default
files: [models, blobs]
`;

/** Prints its environment as JSON, which is how the tests see what a program is given. */
const PRINT_ENV = 'console.log(JSON.stringify(process.env))';

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

function words(world: World, script: string, component = 'api', more: readonly string[] = []): string[] {
  const socket = ['--socket', world.config.brokerSocket];
  return ['exec', '--component', component, ...socket, ...more, '--', process.execPath, '-e', script];
}

const exec = (world: World, script: string, options?: SvidxOptions, more?: readonly string[]): Promise<Finished> =>
  svidx(words(world, script, 'api', more), options);

function startExec(world: World, script: string): Running {
  const running = startSvidx(words(world, script));
  onTestFinished(async () => void (await running.end()));
  return running;
}

async function envOf(world: World, options?: SvidxOptions, more?: readonly string[]): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await exec(world, PRINT_ENV, options, more);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

const withFiles = (options: WorldOptions = {}): Promise<World> =>
  startWorld({ policies: { 'api.yaml': FILES_POLICY }, ...options });

/** What each session and socket came to, as the audit has it. */
function lives(world: World): unknown[] {
  return world.log
    .audits()
    .map(({ action }) => action)
    .filter((action) => /^(session|workload_api)\./.test(String(action)));
}

const socketFolders = async (world: World): Promise<string[]> =>
  (await readdir(dirname(world.config.brokerSocket))).filter((name) => name.startsWith('.svidx-'));

async function isAlive(pid: number): Promise<boolean> {
  return await realpath(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}

describe('the environment', () => {
  test('has the Workload API, and a session whose secret is on no command line', async () => {
    const world = await startWorld();
    const script = `const { readFileSync } = require('node:fs');
      const parent = readFileSync('/proc/' + process.ppid + '/cmdline', 'utf8');
      console.log(JSON.stringify({ ...process.env, own: process.argv.join(), parent }))`;
    const { stdout } = await exec(world, script);
    const { own, parent, ...env } = JSON.parse(stdout);
    expect(env['SPIFFE_ENDPOINT_SOCKET']).toMatch(/^unix:\/\/\/.*\/\.svidx-\w{6}\/s$/);
    expect(env['AWS_CONTAINER_CREDENTIALS_FULL_URI']).toBe(`${world.service.urls.endpoints}/aws/models`);
    const secret = env['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
    expect(secret).toMatch(/^[\w-]{22}\.[\w-]{43}$/);
    expect(own + parent).not.toContain(secret);
    expect(env['AWS_REGION']).toBe('us-east-1');
    expect(world.log.lines.join()).not.toContain(secret);
  });

  test('has nothing that leads to other identities, and the rest as it was', async () => {
    const ambient = {
      SVIDX_SOCKET: 'x',
      SPIRE_ADMIN_ENDPOINT_SOCKET: 'x',
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
      AWS_SESSION_TOKEN: 'x',
      AWS_PROFILE: 'x',
      AWS_WEB_IDENTITY_TOKEN_FILE: 'x',
      AWS_ROLE_ARN: 'x',
    };
    const env = await envOf(await startWorld(), {
      env: { ...ambient, MINE: 'yes', SPIFFE_ENDPOINT_SOCKET: 'unix:///x' },
    });
    expect(Object.keys(env).filter((name) => Object.hasOwn(ambient, name))).toEqual([]);
    expect(env['MINE']).toBe('yes');
    expect(env['SPIFFE_ENDPOINT_SOCKET']).not.toBe('unix:///x');
    expect([env['AWS_CONFIG_FILE'], env['AWS_SHARED_CREDENTIALS_FILE']]).toEqual(['/dev/null', '/dev/null']);
  });

  test('has no more than the Workload API for a component without grants', async () => {
    const world = await startWorld();
    const { code, stdout } = await svidx(words(world, PRINT_ENV, 'ledger'), { env: { AWS_PROFILE: 'mine' } });
    expect(code).toBe(0);
    const env = JSON.parse(stdout);
    expect(Object.keys(env).filter((name) => /^(AWS|AZURE|GOOGLE|IDENTITY|VAULT|SPIFFE)/.test(name))).toEqual([
      'AWS_PROFILE',
      'SPIFFE_ENDPOINT_SOCKET',
    ]);
  });

  test('has what the grant named needs, and nothing of the others', async () => {
    const world = await withFiles();
    const env = await envOf(world, {}, ['--grant', 'blobs']);
    expect(Object.keys(env).filter((name) => name.startsWith('AWS'))).toEqual([]);
    expect(env['IDENTITY_ENDPOINT']).toBe(`${world.service.urls.endpoints}/azure/token`);
  });

  test('has the credentials themselves where there is no endpoint for SDKs', async () => {
    const world = await startWorld({ withoutEndpoints: true });
    const env = await envOf(world);
    expect(env['AWS_CONTAINER_CREDENTIALS_FULL_URI']).toBeUndefined();
    const credentials = {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      sessionToken: env['AWS_SESSION_TOKEN'] ?? '',
    };
    const sts = new STSClient({ region: 'us-east-1', endpoint: world.trust.stsUrl, credentials });
    expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toContain('assumed-role/models/');
  });

  test("lets the AWS SDK's default chain be the component", async () => {
    const world = await startWorld();
    const script = `import('@aws-sdk/client-sts').then(async ({ STSClient, GetCallerIdentityCommand }) =>
      console.log((await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn))`;
    const { code, stdout } = await exec(world, script, { env: { AWS_ENDPOINT_URL_STS: world.trust.stsUrl } });
    expect([code, stdout]).toEqual([0, 'arn:aws:sts::111122223333:assumed-role/models/team=api@example.org\n']);
  });
});

describe('token files', () => {
  test('are on a tmpfs, for this user only, to the letter, and gone with the program', async () => {
    const world = await withFiles();
    const script = `const { readFileSync, lstatSync, statfsSync, readdirSync } = require('node:fs');
      const { dirname } = require('node:path');
      const files = ['AWS_WEB_IDENTITY_TOKEN_FILE', 'AZURE_FEDERATED_TOKEN_FILE'].map((name) => {
        const path = process.env[name];
        const mode = (file) => (lstatSync(file).mode & 0o777).toString(8);
        return { path, modes: [mode(path), mode(dirname(path))], fs: statfsSync(path).type, all: readdirSync(dirname(path)),
          end: readFileSync(path, 'utf8').slice(-1), aud: JSON.parse(Buffer.from(readFileSync(path, 'utf8').split('.')[1], 'base64url')).aud };
      });
      console.log(JSON.stringify({ files, env: process.env }))`;
    const { code, stdout, stderr } = await exec(world, script);
    expect([code, stderr]).toEqual([0, '']);
    const { files, env } = JSON.parse(stdout);
    expect(files).toEqual(
      [
        ['models', 'sts.amazonaws.com'],
        ['blobs', 'api://AzureADTokenExchange'],
      ].map(([name, audience]) => ({
        path: expect.stringMatching(/^\/dev\/shm\/svidx-exec-\w{6}\//),
        modes: ['600', '700'],
        fs: 0x01021994,
        all: [name],
        end: expect.stringMatching(/[\w-]/),
        aud: [audience],
      })),
    );
    for (const { path } of files) await expect(lstat(dirname(path))).rejects.toThrow('ENOENT');
    expect(env).toMatchObject({
      AWS_ROLE_ARN: 'arn:aws:iam::111122223333:role/models',
      AWS_ROLE_SESSION_NAME: 'team=api@example.org',
      AWS_REGION: 'eu-central-1',
      AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
      AZURE_CLIENT_ID: '66666666-7777-8888-9999-000000000000',
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com',
    });
  });

  test('are what an SDK makes the exchange with itself', async () => {
    const world = await withFiles({ policies: { 'api.yaml': FILES_POLICY }, withoutEndpoints: true });
    const script = `import('@aws-sdk/client-sts').then(async ({ STSClient, GetCallerIdentityCommand }) =>
      console.log((await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn))`;
    const { stdout } = await exec(world, script, { env: { AWS_ENDPOINT_URL_STS: world.trust.stsUrl } }, [
      '--grant',
      'models',
    ]);
    expect(stdout).toBe('arn:aws:sts::111122223333:assumed-role/models/team=api@example.org\n');
  });

  test('are not written where the policy does not ask for them', async () => {
    const env = await envOf(await startWorld());
    expect(env['AWS_WEB_IDENTITY_TOKEN_FILE']).toBeUndefined();
  });

  test('are refused on what is no tmpfs, before the program is started', async () => {
    const world = await withFiles();
    const finished = await exec(world, 'console.log("started")', { env: { XDG_RUNTIME_DIR: '/proc' } });
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toMatch(/^svidx: config_invalid: \/proc is not on a tmpfs/);
    expect(lives(world)).toEqual(['session.open', 'workload_api.open', 'session.revoke']);
  });
});

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
    expect(lives(world)).toEqual(['session.open', 'workload_api.open', 'session.revoke']);
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
