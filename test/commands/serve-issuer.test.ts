import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publicJwk } from '../support/signing-keys.ts';
import { startSvidx, svidx } from '../support/svidx.ts';
import { tempFolder } from '../support/temp.ts';

const CONFIG = `trustDomain: example.org
issuer: https://oidc.example.org
http: { listen: "127.0.0.1:0" }
bundle: { file: { path: bundle.json } }
broker: { enabled: false }
`;

function jwkSet(kid: string): string {
  return JSON.stringify({ keys: [{ kid, ...publicJwk(`example.org/ec-p256-${kid}`) }] });
}

async function setup(lines = ''): Promise<{ folder: string; config: string }> {
  const folder = await tempFolder();
  const config = join(folder, 'svidx.yaml');
  await writeFile(config, CONFIG + lines);
  await writeFile(join(folder, 'bundle.json'), jwkSet('a'));
  return { folder, config };
}

describe('serve with the issuer alone', () => {
  test('needs no SPIRE and no policies, says that there is no broker, and publishes what is in the file', async () => {
    const { folder, config } = await setup();
    const running = startSvidx(['serve', '-c', config, '--json']);
    onTestFinished(async () => void (await running.end()));
    expect(JSON.parse(await running.firstLine())).toStrictEqual({
      ready: true,
      issuer: 'https://oidc.example.org',
      discovery: 'https://oidc.example.org/.well-known/openid-configuration',
      broker: null,
    });
    const [, http = ''] = await running.logged(/"event":"service\.ready".*"http":"([^"]+)"/);
    expect(await (await fetch(`${http}/keys`)).json()).toMatchObject({ keys: [{ kid: 'a' }] });
    await writeFile(join(folder, 'new.json'), jwkSet('b'));
    await rename(join(folder, 'new.json'), join(folder, 'bundle.json'));
    await running.logged(/"event":"bundles\.changed".*"keyIds":\["b"\]/);
    expect(await (await fetch(`${http}/keys`)).json()).toMatchObject({ keys: [{ kid: 'b' }] });
    running.signal('SIGTERM');
    expect(await running.finished()).toMatchObject({ code: 0, signal: null });
    expect((await readdir(folder)).toSorted()).toEqual(['bundle.json', 'svidx.yaml']);
  });

  test('says so in words too', async () => {
    const { config } = await setup();
    const running = startSvidx(['serve', '-c', config]);
    onTestFinished(async () => void (await running.end()));
    expect(await running.firstLine()).toMatch(
      /^svidx serves https:\/\/oidc\.example\.org at http:.*, and no components$/,
    );
  });

  test('can be checked without anything around it', async () => {
    const { config } = await setup();
    expect(await svidx(['serve', '-c', config, '--check'])).toMatchObject({
      code: 0,
      stdout: `${config}: good, for the issuer alone\n`,
      stderr: '',
    });
  });

  test('is refused when the file speaks of policies that would not be in force', async () => {
    const { config } = await setup('policies: policies\n');
    expect(await svidx(['serve', '-c', config, '--check'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `svidx: config_invalid: ${config}:6: policies: says nothing with "broker.enabled: false"\n`,
    });
  });
});
