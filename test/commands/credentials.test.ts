import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GetCallerIdentityCommand, STSClient, type STSClientConfig } from '@aws-sdk/client-sts';
import { fromIni } from '@aws-sdk/credential-provider-ini';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { fromProcess } from '@aws-sdk/credential-provider-process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DevService, startDev } from '../support/dev.ts';
import { secretsSeen } from '../support/svidx.ts';
import { tempFolder } from '../support/temp.ts';

const CREDENTIALS = ['credentials', 'bedrock', '--component', 'api-gateway'];
const MAIN = join(import.meta.dirname, '../../src/main.ts');
const ARN = 'arn:aws:sts::111122223333:assumed-role/wasmpay-bedrock/spiffe-in-practice=api-gateway@wasmcloud.dev';

let dev: DevService;
beforeAll(async () => {
  dev = await startDev();
});
afterAll(() => dev.close());

/** Whom the local STS takes the owner of these credentials for. */
async function callerArn(credentials: NonNullable<STSClientConfig['credentials']>): Promise<string | undefined> {
  const sts = new STSClient({ region: 'us-east-1', endpoint: dev.ready.sts, credentials, maxAttempts: 1 });
  return (await sts.send(new GetCallerIdentityCommand({}))).Arn;
}

describe('credentials', () => {
  test('prints JSON that works, where no format is named', async () => {
    const { code, stdout, stderr } = await dev.svidx(CREDENTIALS);
    expect([code, stderr]).toEqual([0, '']);
    const { kind, region, expiration, ...keys } = JSON.parse(stdout);
    expect([kind, region]).toEqual(['aws', 'us-east-1']);
    expect(Object.keys(keys)).toEqual(['accessKeyId', 'secretAccessKey', 'sessionToken']);
    // The sample policy grants a quarter of an hour.
    expect(Date.parse(expiration) - Date.now()).toBeGreaterThan(14 * 60_000);
    expect(Date.parse(expiration) - Date.now()).toBeLessThanOrEqual(15 * 60_000);
    expect(await callerArn(keys)).toBe(ARN);
  });

  test('prints shell lines that work once a shell has evaluated them, as the README has it', async () => {
    const { code, stdout } = await dev.svidx([...CREDENTIALS, '--format', 'env']);
    expect(code).toBe(0);
    const script = `eval "$0"; printf '%s\\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN"`;
    const shell = await promisify(execFile)('sh', ['-c', script, stdout], { env: {} });
    const [accessKeyId = '', secretAccessKey = '', sessionToken = ''] = shell.stdout.split('\n');
    expect(await callerArn({ accessKeyId, secretAccessKey, sessionToken })).toBe(ARN);
  });

  test('prints what an AWS profile wants of a process, and that works', async () => {
    const { code, stdout } = await dev.svidx([...CREDENTIALS, '--format', 'process']);
    expect(code).toBe(0);
    const { Version, AccessKeyId, SecretAccessKey, SessionToken } = JSON.parse(stdout);
    expect(Version).toBe(1);
    const keys = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
    expect(await callerArn(keys)).toBe(ARN);
  });

  test('gives the same credentials to all who may have them', async () => {
    const [first, second] = await Promise.all([dev.svidx(CREDENTIALS), dev.svidx(CREDENTIALS)]);
    expect(first.stdout).toBe(second.stdout);
  });

  test('with one letter changed do not work, so it is they that are checked', async () => {
    const { accessKeyId, secretAccessKey, sessionToken } = JSON.parse((await dev.svidx(CREDENTIALS)).stdout);
    const other = `${secretAccessKey.slice(0, -1)}${secretAccessKey.endsWith('A') ? 'B' : 'A'}`;
    await expect(callerArn({ accessKeyId, secretAccessKey: other, sessionToken })).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    });
  });

  test.each([
    ['a grant that is not there', ['models', '--component', 'api-gateway'], 'it has no grant "models"'],
    ['a grant in another case', ['Bedrock', '--component', 'api-gateway'], 'it has no grant "Bedrock"'],
    ["another component's grant", ['bedrock', '--component', 'ledger'], 'it has no grant "bedrock"'],
    ['a component without a policy', ['bedrock', '--component', 'nobody'], 'no policy names it'],
    ['a grant called constructor', ['constructor', '--component', 'api-gateway'], 'it has no grant "constructor"'],
  ])('is denied %s', async (_, args, reason) => {
    const { code, stdout, stderr } = await dev.svidx(['credentials', ...args]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(new RegExp(`^svidx: policy_denied: component ".*": ${reason}\n$`));
  });

  test('are known to the search of stderr that each command of this file goes through', async () => {
    await dev.svidx(CREDENTIALS);
    expect(secretsSeen()).toBeGreaterThanOrEqual(2);
  });
});

describe("an AWS profile whose credential_process is this command, read by the vendor's SDK", () => {
  async function profile(
    args: readonly string[],
  ): Promise<{ profile: string; filepath: string; configFilepath: string }> {
    const folder = await tempFolder();
    const command = [process.execPath, MAIN, ...args, '--format', 'process', '--socket', dev.ready.broker];
    await writeFile(join(folder, 'config'), `[profile models]\ncredential_process = ${command.join(' ')}\n`);
    await writeFile(join(folder, 'credentials'), '');
    return {
      profile: 'models',
      filepath: join(folder, 'credentials'),
      configFilepath: join(folder, 'config'),
    };
  }

  test.each([
    ['its process provider', fromProcess],
    ['its profile provider', fromIni],
    ['its default chain', defaultProvider],
  ])('works with %s', async (_, provider) => {
    const credentials = await provider(await profile(CREDENTIALS))();
    expect(credentials.expiration?.getTime()).toBeGreaterThan(Date.now() + 14 * 60_000);
    expect(await callerArn(credentials)).toBe(ARN);
  });

  test('works in a client that fetches them itself', async () => {
    expect(await callerArn(fromProcess(await profile(CREDENTIALS)))).toBe(ARN);
  });

  test('has none where the policy denies them, and the SDK says which command failed', async () => {
    const denied = fromProcess(await profile(['credentials', 'bedrock', '--component', 'ledger']));
    await expect(denied()).rejects.toThrow(/policy_denied/);
  });
});
