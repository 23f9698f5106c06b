import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, test } from 'vitest';
import { envOf, exec, FILES_POLICY, lives, PRINT_ENV, withFiles, words } from '../support/exec.ts';
import { svidx } from '../support/svidx.ts';
import { startWorld } from '../support/world.ts';

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

  test("has Google's credential configuration in a file on a tmpfs, whose session asks for the subject token", async () => {
    const provider = 'projects/123456789/locations/global/workloadIdentityPools/components/providers/svidx';
    const audience = `//iam.googleapis.com/${provider}`;
    const policy = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
audiences: ['https:${audience}']
grants: { reports: { gcp: { provider: ${provider} } } }
`;
    const world = await startWorld({ policies: { 'api.yaml': policy } });
    const script = `const { readFileSync, lstatSync } = require('node:fs');
      const path = process.env.GOOGLE_APPLICATION_CREDENTIALS;
      const { audience, credential_source: { url, headers } } = JSON.parse(readFileSync(path, 'utf8'));
      fetch(url, { headers }).then(async (answer) => console.log(JSON.stringify({
        path, audience, mode: (lstatSync(path).mode & 0o777).toString(8), status: answer.status,
        names: Object.keys(await answer.json()) })))`;
    const { stdout, stderr } = await exec(world, script, { env: { GOOGLE_APPLICATION_CREDENTIALS: '/mine.json' } });
    expect(stderr).toBe('');
    const { path, ...seen } = JSON.parse(stdout);
    expect(path).toMatch(/^\/dev\/shm\/svidx-exec-\w{6}\/external-account\.json$/);
    expect(seen).toEqual({ audience, mode: '600', status: 200, names: ['subject_token'] });
    await expect(lstat(dirname(path))).rejects.toThrow('ENOENT');
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
        return { path, modes: [mode(path), mode(dirname(path))], fs: statfsSync(path).type, all: readdirSync(dirname(path)).sort(),
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
        all: ['.alive', name],
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
