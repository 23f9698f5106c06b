import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { expectSilence } from '../support/canary-questions.ts';
import { type CanaryWorld, POLICY, startCanaryWorld } from '../support/canary-world.ts';
import { createCertificate } from '../support/certificates.ts';
import { tempFolder } from '../support/temp.ts';

const EXAMPLE = join(import.meta.dirname, '../../examples/token-exchange.ts');
const BATCH = 'spiffe://example.org/batch';

const authority = createCertificate({ hosts: [] });

async function start(): Promise<CanaryWorld & { issuer: string }> {
  const world = await startCanaryWorld({
    policy: `${POLICY}tokenEndpoint: { subjects: ['${BATCH}'] }\n`,
    tokenEndpoint: true,
    tls: createCertificate({ hosts: ['localhost'], issuer: authority }),
  });
  return { ...world, issuer: world.service.urls.http.replace('127.0.0.1', 'localhost') };
}

/** Runs the example as a process of its own, which trusts the test's authority as others trust the public ones. */
async function run(issuer: string, grant: string, token: string): Promise<{ code: unknown; out: string; err: string }> {
  const caFile = join(await tempFolder(), 'ca.pem');
  await writeFile(caFile, authority.cert);
  const child = spawn(process.execPath, [EXAMPLE, issuer, grant], {
    env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: caFile },
    stdio: 'pipe',
  });
  const exited = once(child, 'exit');
  child.stdin.end(`${token}\n`);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await exited;
  return { code, out, err };
}

describe('openid-client as it is, in a process of its own, over TLS', () => {
  test('has what the policy grants', async () => {
    const world = await start();
    const token = await world.mint({ subject: BATCH, audience: [world.issuer] });
    const { code, out, err } = await run(world.issuer, 'models', token);
    expect([code, err]).toEqual([0, '']);
    const { access_token, ...others } = JSON.parse(out);
    expect(others).toMatchObject({
      issued_token_type: 'urn:svid-exchange:token-type:aws-credentials',
      token_type: 'n_a',
    });
    expect(world.canary.secrets).toContain(JSON.parse(access_token).sessionToken);
    expectSilence(world);
  });

  test('is told why not', async () => {
    const world = await start();
    const token = await world.mint({ subject: BATCH, audience: [world.issuer] });
    const { code, out, err } = await run(world.issuer, 'elsewhere', token);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('invalid_target');
    expect(err).toContain('policy_denied');
    expect(world.sts.requests.all).toEqual([]);
    expectSilence(world);
  });
});
