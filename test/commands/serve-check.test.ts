import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changedPolicy, FULL_POLICY } from '../support/policies.ts';
import { NO_SPIRE, POLICY, setup } from '../support/serve-setup.ts';
import { svidx } from '../support/svidx.ts';
import { tempFolder } from '../support/temp.ts';

describe('serve --check', () => {
  test('says that all is good, and for whom there are policies, without any service around it', async () => {
    const { config } = await setup({ policies: { 'a.yaml': POLICY, 'b.yaml': FULL_POLICY.replace('api', 'full') } });
    expect(await svidx(['serve', '-c', config, '--check'])).toMatchObject({
      code: 0,
      stdout: `${config}: good, with policies for api, full\n`,
      stderr: '',
    });
  });

  test('reads the agent socket from the environment where the file has none', async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, 'policies'));
    await writeFile(join(folder, 'policies/a.yaml'), POLICY);
    const config = join(folder, 'svidx.yaml');
    await writeFile(config, 'trustDomain: example.org\nissuer: https://oidc.example.org\n');
    const check = ['serve', '-c', config, '--check'];
    expect((await svidx(check, { env: { SPIRE_ADMIN_ENDPOINT_SOCKET: NO_SPIRE } })).code).toBe(0);
    expect(await svidx(check, { env: { SPIRE_ADMIN_ENDPOINT_SOCKET: '' } })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `svidx: config_invalid: ${config}:1: spire.adminSocket: is missing, and SPIRE_ADMIN_ENDPOINT_SOCKET is not set\n`,
    });
  });

  test('names file, line and key of each problem in a configuration, one a line', async () => {
    const { config } = await setup({ lines: 'log: { level: loud }\nevil: 1\n' });
    const { code, stdout, stderr } = await svidx(['serve', '-c', config, '--check']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(`^svidx: config_invalid: ${config}:6: log\\.level: Invalid option`),
      `${config}:7: evil: unknown key`,
    ]);
  });

  test('names file, line and key of each problem in the policies, one a line', async () => {
    const { config, folder } = await setup({
      policies: { 'a.yaml': changedPolicy('us-east-1', 'moon'), 'b.yaml': POLICY, 'c.yaml': POLICY },
    });
    expect(await svidx(['serve', '-c', config, '--check'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: [
        `svidx: policy_invalid: ${folder}/policies/a.yaml:10: grants.models.aws.region: expected an AWS region, such as us-east-1`,
        `${folder}/policies/c.yaml:1: component: api is already defined at ${folder}/policies/b.yaml:1`,
        '',
      ].join('\n'),
    });
  });

  test('refuses a file that is not there', async () => {
    const file = join(await tempFolder(), 'none.yaml');
    expect(await svidx(['serve', '-c', file, '--check'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `svidx: config_invalid: ${file}: cannot be read (ENOENT)\n`,
    });
  });
});
