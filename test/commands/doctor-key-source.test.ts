import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createAuthority } from '../../src/dev/authority.ts';
import { type Chain, check, expectDiagnosis, startChain } from '../support/doctor.ts';

/** A chain whose issuer takes its keys from a file; `lines` end the configuration. */
async function startFileChain(jwkSet: (chain: Chain) => Promise<string> | string, lines: string): Promise<Chain> {
  const chain = await startChain();
  const file = join(chain.folder, 'bundle.json');
  await writeFile(file, await jwkSet(chain));
  await writeFile(
    chain.configFile,
    `trustDomain: example.org\nissuer: ${chain.config.issuer}\nbundle: { file: { path: ${file} } }\n${lines}`,
  );
  return chain;
}

const ISSUER_ALONE = 'broker: { enabled: false }\n';

function withBroker({ config }: Chain): string {
  return (
    `spire: { adminSocket: "unix://${config.adminSocket}" }\n` +
    `broker: { socket: "${config.brokerSocket}" }\naws: { stsEndpoint: "${config.stsEndpoint}" }\n`
  );
}

async function strangersKeys(): Promise<string> {
  const stranger = await createAuthority({
    clock: { now: systemClock.now, after: () => ({ cancel: () => {} }) },
    keyType: 'ec-p256',
    jwtIssuer: 'https://stranger.example',
    keyTtlMs: 3600_000,
  });
  return stranger.jwkSet();
}

describe('an issuer alone', () => {
  test('is examined from its keys on; what it does not have is passed over, and says so', async () => {
    const chain = await startFileChain(({ spire }) => spire.authority.jwkSet(), ISSUER_ALONE);
    const checks = await chain.examine();
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
    for (const name of ['key-source', 'issuer-discovery', 'issuer-keys', 'published-keys', 'clocks']) {
      expect(check(checks, name), name).toMatchObject({ status: 'ok' });
    }
    for (const name of ['policies', 'admin-socket', 'delegate', 'issuer-claim', 'private-socket']) {
      expect(check(checks, name), name).toMatchObject({ status: 'skip', saw: expect.stringContaining('issuer alone') });
    }
  });

  test('whose keys are others than the published ones', async () => {
    const chain = await startFileChain(strangersKeys, ISSUER_ALONE);
    expectDiagnosis(await chain.examine(), {
      step: 'published-keys',
      saw: 'not published',
      advice: 'The issuer publishes the keys of something else',
    });
  });

  test.each([
    ['holds no key', () => '{"keys":[]}', 'bundle_unavailable'],
    ['is not JSON', () => 'keys', 'bundle_unavailable'],
  ])('whose file %s', async (_, jwkSet, code) => {
    const chain = await startFileChain(jwkSet, ISSUER_ALONE);
    expectDiagnosis(await chain.examine(), {
      step: 'key-source',
      saw: 'the bundle file has no keys of example.org',
      advice: 'Correct "bundle.file"',
      code,
    });
  });
});

describe('a service whose issuer has its keys from elsewhere', () => {
  test('has one step more', async () => {
    const chain = await startChain();
    const lines = withBroker(chain);
    const file = join(chain.folder, 'bundle.json');
    await writeFile(file, chain.spire.authority.jwkSet());
    const config = `trustDomain: example.org\nissuer: ${chain.config.issuer}\nbundle: { file: { path: ${file} } }\n${lines}`;
    await writeFile(chain.configFile, config);
    const checks = await chain.examine();
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(check(checks, 'key-source')).toMatchObject({ status: 'ok', saw: expect.stringContaining('example.org') });

    await writeFile(file, await strangersKeys());
    const broken = await chain.examine();
    expect(broken.filter(({ status }) => status === 'fail').map(({ name }) => name)).toEqual(['published-keys']);
  });
});
