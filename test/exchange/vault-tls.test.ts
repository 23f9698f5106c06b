import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createCertificate } from '../support/certificates.ts';
import { refusal } from '../support/errors.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';
import { tempFolder } from '../support/temp.ts';
import { startVaultWorld } from '../support/vault.ts';

const HOSTS = ['127.0.0.1'];

async function startTlsWorld(hosts: readonly string[] = HOSTS) {
  const authority = createCertificate({ hosts: [] });
  const world = await startVaultWorld({ certificate: createCertificate({ hosts, issuer: authority }) });
  const caFile = join(await tempFolder(), 'ca.pem');
  await writeFile(caFile, authority.cert);
  return { ...world, authority, caFile };
}

describe('a server of an authority that the grant names', () => {
  test('is trusted', async () => {
    const { exchange, caFile, vault } = await startTlsWorld();
    expect(vault.url).toMatch(/^https:/);
    expect((await exchange({ grant: { caFile } })).renewable).toBe(true);
  });

  test('is trusted also where the file has others, and prose around them', async () => {
    const { exchange, caFile, authority } = await startTlsWorld();
    const other = createCertificate({ hosts: [] });
    await writeFile(caFile, `# ours\n${other.cert}\r\nsubject=CN\n${authority.cert}`);
    expect((await exchange({ grant: { caFile } })).renewable).toBe(true);
  });

  test('is trusted for as long as the file names it, whatever connection is still open', async () => {
    const { exchange, caFile, authority, vault } = await startTlsWorld();
    const previous = await exchange({ grant: { caFile } });
    await writeFile(caFile, createCertificate({ hosts: [] }).cert);
    expect((await refusal(exchange({ grant: { caFile }, previous }))).code).toBe('exchange_unavailable');
    expect(vault.calls()).toEqual(['login']);
    await writeFile(caFile, authority.cert);
    const renewed = await exchange({ grant: { caFile }, previous });
    expect(renewed.token.reveal()).toBe(previous.token.reveal());
  });
});

describe('nothing is sent to a server', () => {
  test.each<[string, (world: Awaited<ReturnType<typeof startTlsWorld>>) => Promise<void>, string]>([
    [
      'of another authority than the file names',
      ({ caFile }) => writeFile(caFile, createCertificate({ hosts: [] }).cert),
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    [
      'of another authority, whatever the environment says',
      async ({ caFile }) => {
        vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
        vi.stubEnv('VAULT_SKIP_VERIFY', 'true');
        vi.stubEnv('VAULT_CACERT', caFile);
        onTestFinished(() => void vi.unstubAllEnvs());
        await writeFile(caFile, createCertificate({ hosts: [] }).cert);
      },
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
  ])('%s', async (_, spoil, code) => {
    const world = await startTlsWorld();
    await spoil(world);
    const svid = await world.mint();
    const error = await refusal(world.exchange({ svid, grant: { caFile: world.caFile } }));
    expect(error).toMatchObject({ code: 'exchange_unavailable', detail: expect.stringContaining(code) });
    expect(error.detail).toContain(`(trusting ${world.caFile})`);
    expect(world.vault.requests.all).toEqual([]);
    expectNoSecrets(errorText(error), [svid.token.reveal()]);
  });

  test('that is not the one of the address', async () => {
    const { exchange, caFile, vault } = await startTlsWorld(['vault.example.org']);
    expect(await refusal(exchange({ grant: { caFile } }))).toMatchObject({
      code: 'exchange_unavailable',
      detail: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
    expect(vault.requests.all).toEqual([]);
  });

  test('that no public authority has signed, where the grant names no file', async () => {
    const { exchange, vault } = await startTlsWorld();
    const error = await refusal(exchange());
    expect(error).toMatchObject({ code: 'exchange_unavailable' });
    expect(error.detail).not.toContain('trusting');
    expect(vault.requests.all).toEqual([]);
  });
});

describe('a file of authorities that cannot be used', () => {
  const KEY = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';

  test.each<[string, (file: string) => Promise<unknown>, string]>([
    ['is not there', (file) => rm(file), 'ENOENT'],
    ['is a folder', (file) => rm(file).then(() => mkdir(file)), 'EISDIR'],
    ['is empty', (file) => writeFile(file, ''), 'no PEM certificate in it'],
    ['holds a key', (file) => writeFile(file, KEY), 'no PEM certificate in it'],
    ['holds half a certificate', (file) => writeFile(file, '-----BEGIN CERTIFICATE-----\nMIIB'), 'no PEM certificate'],
    [
      'holds a certificate that is none',
      (file) => writeFile(file, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      'ERR_OSSL',
    ],
  ])('%s: the error names it, and nothing is asked', async (_, spoil, says) => {
    const { exchange, caFile, vault } = await startTlsWorld();
    await spoil(caFile);
    const error = await refusal(exchange({ grant: { caFile } }));
    expect(error).toMatchObject({
      code: 'exchange_request_rejected',
      message: 'the caFile of the grant holds no certificates to trust',
      detail: expect.stringContaining(says),
    });
    expect(error.detail).toMatch(new RegExp(`^${caFile}: `));
    expect(error.message).not.toContain(caFile);
    expect(vault.requests.all).toEqual([]);
  });
});
