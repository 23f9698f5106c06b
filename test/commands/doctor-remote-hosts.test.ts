import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCertificate } from '../support/certificates.ts';
import { check, expectDiagnosis, startChain } from '../support/doctor.ts';

const HOST = '{ spiffeId: "spiffe://example.org/host/a", components: [api] }';

/** A chain with a listener for remote hosts, of which `allow` may ask. */
async function startHostsChain(allow: string, certificate = createCertificate({ hosts: ['localhost'] })) {
  const chain = await startChain();
  const [certFile, keyFile] = [join(chain.folder, 'cert.pem'), join(chain.folder, 'key.pem')];
  await writeFile(certFile, certificate.cert);
  await writeFile(keyFile, certificate.key);
  await appendFile(
    chain.configFile,
    `remoteHosts: { listen: "127.0.0.1:0", tls: { certFile: ${certFile}, keyFile: ${keyFile} }, allow: [${allow}] }\n`,
  );
  return chain;
}

describe('remote hosts', () => {
  test('who can be verified are good', async () => {
    const checks = await (await startHostsChain(HOST)).examine();
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(check(checks, 'remote-hosts')).toMatchObject({ saw: '1 may ask, and can be verified' });
  });

  test('are not looked at where there is no listener for them', async () => {
    const checks = await (await startChain()).examine();
    expect(checks.map(({ name }) => name)).not.toContain('remote-hosts');
  });

  test('of a trust domain that is not federated', async () => {
    const partner = '{ spiffeId: "spiffe://partner.example/h", components: [api] }';
    expectDiagnosis(await (await startHostsChain(`${HOST}, ${partner}`)).examine(), {
      step: 'remote-hosts',
      saw: 'no X.509 bundle of partner.example',
      advice: 'federate',
      code: 'bundle_unavailable',
    });
  });

  test('who may name what no policy names: to look at', async () => {
    const checks = await (await startHostsChain(HOST.replace('[api]', '[api, apy]'))).examine();
    expect(check(checks, 'remote-hosts')).toMatchObject({
      status: 'warn',
      saw: 'no policy names apy, which hosts may name',
    });
  });

  test.each([
    ['that is not there', () => ({ cert: '', key: '' }), 'expected a certificate in PEM'],
    [
      'that has expired',
      () => createCertificate({ hosts: ['localhost'], notAfter: new Date(Date.now() - 1_000) }),
      'has expired',
    ],
  ])('who would be shown a certificate %s', async (_, certificate, saw) => {
    expectDiagnosis(await (await startHostsChain(HOST, certificate())).examine(), {
      step: 'remote-hosts',
      saw,
      advice: 'remoteHosts.tls',
      code: 'config_invalid',
    });
  });
});
