import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { refusalXml } from '../fakes/scripted-sts.ts';
import { telltale } from '../fakes/telltale-component.ts';
import { type Canary, createCanary } from '../support/canary.ts';
import { API, POLICY, startCanaryUpstreams } from '../support/canary-world.ts';
import { setup } from '../support/serve-setup.ts';
import { privateJwk } from '../support/signing-keys.ts';
import { type Finished, type SvidxOptions, startSvidx, svidx } from '../support/svidx.ts';
import { tempFolder } from '../support/temp.ts';

type Command = readonly string[];

/** Runs the commands side by side. All that they say is heard, but for what goes to stdout in success. */
async function runAll(canary: Canary, commands: readonly Command[], options: SvidxOptions = {}): Promise<Finished[]> {
  const finished = await Promise.all(commands.map((args) => svidx(args, options)));
  for (const [index, { code, stdout, stderr }] of finished.entries()) {
    const source = `svidx ${commands[index]?.map((word) => word.slice(0, 20)).join(' ')}`;
    canary.hear(source, stderr);
    if (code !== 0) canary.hear(`${source} (stdout)`, stdout);
  }
  return finished;
}

function codesOf(finished: readonly Finished[]): (string | undefined)[] {
  return finished.map(({ stderr }) => /^svidx: (\w+): /m.exec(stderr)?.[1]);
}

async function fileOf(content: string | Uint8Array): Promise<string> {
  const file = join(await tempFolder(), 'file');
  await writeFile(file, content);
  return file;
}

const IDENTITY: Command = ['token', '--component', 'api', '--audience', 'a.example.org'];
const CREDENTIALS: Command = ['credentials', '--component', 'api'];

describe('svidx serve and those who ask it', () => {
  test('print secrets to those who may have them and log none, whatever SPIRE and STS say', async () => {
    const { canary, agent, sts, mint } = await startCanaryUpstreams();
    const { config, socket } = await setup({
      policies: { 'api.yaml': POLICY },
      spire: `unix://${agent.socketPath}`,
      lines: `aws: { stsEndpoint: "${sts.url}" }\nlog: { level: trace }\n`,
    });
    const serving = startSvidx(['serve', '-c', config, '--json']);
    onTestFinished(async () => void (await serving.end()));
    await serving.firstLine();
    const options = { env: { SVIDX_SOCKET: socket } };

    const formats = ['json', 'env', 'process'].map((format) => [...CREDENTIALS, 'models', '--format', format]);
    const good = await runAll(canary, [IDENTITY, [...IDENTITY, '--json'], ...formats], options);
    // Control: each of these has printed secrets, where they belong.
    expect(good.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    expect(good.every(({ stdout }) => [...canary.secrets].some((secret) => stdout.includes(secret)))).toBe(true);

    const token = await mint();
    const echo = [...canary.secrets].join(' ');
    sts.onRequest = () => ({ status: 400, body: refusalXml('InvalidIdentityToken', echo) });
    agent.onFetch = () => ({ code: status.INTERNAL, message: `no: ${token}` });
    const ofOther: Command = ['token', '--component', 'api', '--audience', 'b.example.org'];
    const refused = await runAll(
      canary,
      [
        ofOther,
        [...CREDENTIALS, 'others'],
        [...CREDENTIALS, token],
        ['credentials', 'models', '--component', token],
        ['token', '--component', 'api', '--audience', `https://${token}`],
      ],
      options,
    );
    expect(codesOf(refused)).toEqual([
      'identity_unavailable',
      'exchange_token_rejected',
      'policy_denied',
      'policy_denied',
      'policy_denied',
    ]);
    await agent.stop();
    await runAll(canary, [ofOther], options);

    const { stdout, stderr } = await serving.end();
    expect(stderr).toContain('"action":"credentials.exchange"');
    canary.hear('svidx serve', stdout + stderr);
    canary.expectSilence();
  });
});

describe('svidx dev and svidx run', () => {
  test('say nothing of what a component was given, even if it fails with it', async () => {
    const dev = await startSvidxDev();
    const canary = createCanary();
    const api = ['--component', 'api-gateway'];
    const [token, granted] = await runAll(
      canary,
      [
        ['token', ...api, '--audience', 'sts.amazonaws.com'],
        ['credentials', 'bedrock', ...api],
      ],
      dev.options,
    );
    canary.plant(token?.stdout.trim() ?? '');
    const { accessKeyId, secretAccessKey, sessionToken } = JSON.parse(granted?.stdout ?? '');
    for (const secret of [accessKeyId, secretAccessKey, sessionToken]) canary.plant(secret);

    const file = await fileOf(await telltale());
    const call = (fn: string, arg: string): Command => ['run', file, ...api, '--call', fn, '--args', `["${arg}"]`];
    const failed = await runAll(
      canary,
      [
        call('token-as-error', 'sts.amazonaws.com'),
        call('secret-key-as-error', 'bedrock'),
        call('token-then-trap', 'sts.amazonaws.com'),
        ['run', await fileOf(token?.stdout ?? ''), ...api],
        ['run', await fileOf(`\0asm\x0d\0\x01\0${token?.stdout}`), ...api],
      ],
      dev.options,
    );
    expect(codesOf(failed)).toEqual([
      'component_failed',
      'component_failed',
      'component_trapped',
      'component_invalid',
      'component_invalid',
    ]);
    canary.hear('svidx dev', await dev.end());
    canary.expectSilence();
  });

  async function startSvidxDev(): Promise<{ options: SvidxOptions; end(): Promise<string> }> {
    const running = startSvidx(['dev', '--json', '--log-level', 'trace'], { env: { TMPDIR: await tempFolder() } });
    onTestFinished(async () => void (await running.end()));
    const { broker } = JSON.parse(await running.firstLine());
    return {
      options: { env: { SVIDX_SOCKET: broker } },
      async end() {
        const { stdout, stderr } = await running.end();
        expect(stderr).toContain('"action":"credentials.exchange"');
        return stdout + stderr;
      },
    };
  }
});

describe('svidx verify', () => {
  test('says nothing of a token it refuses, nor of a private key among the bundles', async () => {
    const { canary, authority, mint } = await startCanaryUpstreams();
    const key = privateJwk('example.org/ec-p256');
    const d = canary.plant(String(key['d']));
    const keySet = JSON.parse(authority.jwkSet());
    const withPrivateKey = { keys: [...keySet.keys, { ...key, kid: 'private' }] };
    const bundles = await fileOf(JSON.stringify({ 'example.org': withPrivateKey }));
    const verify = (token: string, file = bundles, audience = 'a.example.org'): Command => [
      'verify',
      token,
      '--audience',
      audience,
      '--bundles',
      file,
    ];
    const [token, expired, foreign] = [
      await mint(),
      await mint({ ttl: -60 }),
      await mint({ subject: API.replace('example.org', 'example.com') }),
    ];
    const flipped = canary.plant(
      token.replace(/.(.{9})$/, (_, end: string) => `${token.at(-10) === 'A' ? 'B' : 'A'}${end}`),
    );
    const finished = await runAll(canary, [
      verify(token),
      verify(flipped),
      verify(expired),
      verify(foreign),
      verify(token, bundles, 'b.example.org'),
      verify(token, bundles, token),
      verify(`${token}.${token}`),
      verify(JSON.stringify(key)),
      verify(token, await fileOf(JSON.stringify(withPrivateKey))),
      verify(token, await fileOf(JSON.stringify({ [token]: keySet }))),
      verify(token, await fileOf(`{"example.org": {"keys": [{"d": "${d}"`)),
      verify(token, await fileOf(token)),
      verify(token, token),
    ]);
    canary.hear('what verify says of a good token', finished[0]?.stdout ?? '');
    expect(codesOf(finished)).toEqual([
      undefined,
      'token_signature_invalid',
      'token_expired',
      'token_trust_domain_unknown',
      'token_audience_mismatch',
      'token_audience_mismatch',
      'token_malformed',
      'token_malformed',
      ...Array.from({ length: 5 }, () => 'usage_invalid'),
    ]);
    canary.expectSilence();
  });
});

describe('a token on the command line, in a file or in the environment', () => {
  test('is not repeated by the command that cannot use it', async () => {
    const { canary, mint } = await startCanaryUpstreams();
    const token = await mint();
    const api = ['--component', 'api'];
    const asKey = await setup({ lines: `${token}: ${token}\n` });
    const asValue = await setup({ spire: token, lines: `log: { level: ${token} }\n` });
    const inPolicy = await setup({
      policies: { 'a.yaml': `${token}: 1\ncomponent: [${token}]\nspiffeId: *${token}\n` },
    });
    const finished = await runAll(
      canary,
      [
        [token],
        [`--${token}`],
        ['token', token],
        ['token', ...api, '--audience', 'a', '--socket', `/${token}`],
        ['token', ...api, '--audience', 'a', `--${token}`],
        ['credentials', 'g', token, ...api],
        ['credentials', 'g', ...api, '--format', token],
        ['run', token, ...api],
        ['run', await fileOf(await telltale()), ...api, '--call', token],
        ['run', token, ...api, '--args', token],
        ['run', token, ...api, '--timeout', token],
        ['serve', '-c', token],
        ['serve', '-c', asKey.config],
        ['serve', '-c', asValue.config],
        ['serve', '-c', inPolicy.config],
        ['serve', '-c', inPolicy.config, '--check'],
        ['dev', '--listen', token],
        ['dev', '--key-type', token],
        ['dev', '--key-ttl', token],
        ['dev', '--trust-domain', token],
        ['dev', '--policies', token],
        ['dev', '--entries', token],
        ['dev', '--socket', `${token.repeat(2)}`],
        [...IDENTITY],
      ],
      { env: { SVIDX_SOCKET: token, SPIRE_ADMIN_ENDPOINT_SOCKET: token } },
    );
    expect(finished.filter(({ code }) => code === 0 || code === null)).toEqual([]);
    canary.expectSilence();
  });
});
