import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DevService, startDev } from '../support/dev.ts';
import { runSdkProgram } from '../support/sdk-program.ts';

const ARN = 'arn:aws:sts::111122223333:assumed-role/wasmpay-bedrock/spiffe-in-practice=api-gateway@wasmcloud.dev';
const OPEN = ['session', 'open', '--component', 'api-gateway'];

let dev: DevService;
beforeAll(async () => {
  dev = await startDev();
});
afterAll(() => dev.close());

/** The variables that a shell has once it has evaluated these lines. */
async function evaluated(lines: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)('sh', ['-c', 'eval "$0"; env', lines], { env: {} });
  return Object.fromEntries(
    stdout.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return /^(AWS|AZURE|IDENTITY)_/.test(line) ? [[line.slice(0, at), line.slice(at + 1)]] : [];
    }),
  );
}

describe('session', () => {
  test('open prints shell lines with which the AWS SDK works as it is, until it is revoked', async () => {
    const opened = await dev.svidx([...OPEN, '--grant', 'bedrock', '--format', 'env']);
    expect([opened.code, opened.stderr]).toEqual([0, '']);
    const env = { ...(await evaluated(opened.stdout)), AWS_ENDPOINT_URL_STS: dev.ready.sts };
    expect(await runSdkProgram('aws', ['1'], env)).toEqual([{ ok: ARN }]);

    const id = env['AWS_CONTAINER_AUTHORIZATION_TOKEN' as keyof typeof env].split('.')[0] ?? '';
    expect(await dev.svidx(['session', 'revoke', id])).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const again = await dev.svidx(['session', 'revoke', id]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('session_invalid')]);
    const answer = await fetch(env['AWS_CONTAINER_CREDENTIALS_FULL_URI' as keyof typeof env], {
      headers: { Authorization: env['AWS_CONTAINER_AUTHORIZATION_TOKEN' as keyof typeof env] },
    });
    expect(await answer.json()).toMatchObject({ Code: 'session_invalid' });
  });

  test('open prints JSON, where no format is named', async () => {
    const { code, stdout } = await dev.svidx([...OPEN, '--ttl', '1m']);
    expect(code).toBe(0);
    const { secret, expiresAt, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({
      session: secret.slice(0, 22),
      endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      grants: [{ name: 'bedrock', kind: 'aws', region: 'us-east-1' }],
    });
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(60_000);
  });

  test.each([
    ['a component without a policy', ['session', 'open', '--component', 'nobody'], 1, 'policy_denied'],
    ['a grant that it has not', [...OPEN, '--grant', 'nothing'], 1, 'policy_denied'],
    ['a time that is too long', [...OPEN, '--ttl', '2h'], 1, 'request_invalid'],
    ['a Google file without a grant for Google', [...OPEN, '--format', 'google'], 2, 'usage_invalid'],
    ['an ID that is none', ['session', 'revoke', 'x'], 2, 'usage_invalid'],
    ['a secret in place of the ID', ['session', 'revoke', `${'A'.repeat(22)}.${'B'.repeat(43)}`], 2, 'usage_invalid'],
  ])('is refused for %s', async (_, args, code, error) => {
    const finished = await dev.svidx(args);
    expect([finished.code, finished.stdout, finished.stderr]).toEqual([code, '', expect.stringContaining(error)]);
    expect(finished.stderr).not.toContain('B'.repeat(43));
  });
});
