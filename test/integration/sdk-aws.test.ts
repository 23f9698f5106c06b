import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findLeaks } from '../support/find-leaks.ts';
import { ask } from '../support/http.ts';
import { runSdkProgram } from '../support/sdk-program.ts';
import { tempFolder } from '../support/temp.ts';
import { startWorld } from '../support/world.ts';

const ARN = 'arn:aws:sts::111122223333:assumed-role/models/team=api@example.org';

/** The whole service, a session at it, and the variables of a program that asks there for `grant`. */
async function startSession(grant = 'models') {
  const world = await startWorld();
  const { broker, endpoints = '' } = world.service.urls;
  const { session, secret } = JSON.parse(
    (
      await ask(broker, {
        method: 'POST',
        path: '/v1/sessions',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ component: 'api' }),
      })
    ).text,
  );
  const env = {
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_STS: world.trust.stsUrl,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoints}/aws/${grant}`,
  };
  const revoke = () => ask(broker, { method: 'DELETE', path: `/v1/sessions/${session}` });
  return { ...world, env, secret, revoke };
}

test("the AWS SDK's default chain, with the secret in a variable; one exchange for several calls", async () => {
  const { env, secret, log } = await startSession();
  const seen = await runSdkProgram('aws', ['1', '2', '3'], { ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN: secret });
  expect(seen).toEqual([{ ok: ARN }, { ok: ARN }, { ok: ARN }]);
  const actions = log.audits().map(({ action }) => action);
  expect(actions.filter((action) => action === 'credentials.exchange')).toHaveLength(1);
  expect(actions.filter((action) => action === 'credentials.request')).toHaveLength(1);
  expect(findLeaks(log.lines.join('\n'), [secret.slice(23)])).toEqual([]);
});

test('with the secret in a file', async () => {
  const { env, secret } = await startSession();
  const file = join(await tempFolder(), 'token');
  await writeFile(file, secret, { mode: 0o600 });
  expect(await runSdkProgram('aws', ['1'], { ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file })).toEqual([
    { ok: ARN },
  ]);
});

test('a revoked session is refused, and the program hears nothing but that', async () => {
  const { env, secret, revoke, log } = await startSession();
  expect((await revoke()).status).toBe(200);
  const [refused] = await runSdkProgram('aws', ['1'], { ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN: secret });
  expect(refused).not.toHaveProperty('ok');
  expect(log.audits().map(({ action }) => action)).toEqual(['session.open', 'session.revoke', 'session.refuse']);
}, 20_000);
