import { describe, expect, test } from 'vitest';
import { createSessionClient } from '../../src/http/session-client.ts';
import { refusalXml } from '../fakes/scripted-sts.ts';
import { expectSilence } from '../support/canary-questions.ts';
import { type CanaryWorld, startCanaryWorld } from '../support/canary-world.ts';
import { refusal } from '../support/errors.ts';
import { ask, type HttpAnswer } from '../support/http.ts';

/** The whole service, a session whose secret is planted, and a question at its endpoints. */
async function startSession() {
  const world = await startCanaryWorld();
  const sessions = createSessionClient(world.service.urls.broker.replace(/^unix:/, ''));
  const { session, secret } = await sessions.open({ component: 'api' });
  const text = world.canary.plant(secret.reveal().slice(session.length + 1));
  return { world, sessions, session, secret: `${session}.${text}` };
}

function askAt({ service }: CanaryWorld, path: string, secret: string, headers = {}): Promise<HttpAnswer> {
  const { endpoints = '' } = service.urls;
  return ask(endpoints, { path, headers: { Authorization: secret, ...headers } });
}

describe('the endpoints for SDKs', () => {
  test('hand out what they should, and nobody writes it down', async () => {
    const { world, sessions, session, secret } = await startSession();
    const answer = await askAt(world, '/aws/models', secret);
    expect(answer.status).toBe(200);
    expect(world.canary.secrets).toContain(JSON.parse(answer.text).Token);
    await sessions.renew(session);
    await sessions.revoke(session);
    expectSilence(world);
  });

  test('refuse without repeating a secret, whatever they are asked for and wherever it stands', async () => {
    const { world, sessions, session, secret } = await startSession();
    world.sts.onRequest = () => ({ status: 403, body: refusalXml('AccessDenied', `no, not ${secret}`) });
    const { canary } = world;
    for (const [path, sent, headers] of [
      ['/aws/models', secret, {}],
      ['/aws/models', `${secret}x`, {}],
      ['/aws/models', secret, { Host: secret }],
      ['/aws/models', secret, { Origin: secret }],
      [`/aws/${secret}`, secret, {}],
      [`/${secret}`, secret, {}],
      [`/azure/token?api-version=2019-08-01&resource=${secret}`, '', { 'X-IDENTITY-HEADER': secret }],
      [`/azure/token?api-version=${secret}`, '', { 'X-IDENTITY-HEADER': secret }],
    ] as const) {
      const { status, headers: answered, text } = await askAt(world, path, sent, headers);
      expect(status, path).toBeGreaterThanOrEqual(400);
      canary.hear('the answer', JSON.stringify(answered) + text);
    }
    canary.hearError("the client's error", await refusal(sessions.open({ component: secret })));
    canary.hearError("the client's error", await refusal(sessions.open({ component: 'api' }, { grant: secret })));
    canary.hearError("the client's error", await refusal(sessions.open({ component: 'api' }, { ttl: secret })));
    canary.hearError("the client's error", await refusal(sessions.revoke(secret)));
    await sessions.revoke(session);
    canary.hearError("the client's error", await refusal(sessions.revoke(session)));
    canary.hear('the last answer', (await askAt(world, '/aws/models', secret)).text);
    expectSilence(world);
  });
});
