import { readFile } from 'node:fs/promises';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { createSessionClient } from '../../src/http/session-client.ts';
import { createTokenFileClient } from '../../src/http/token-file-client.ts';
import { createWorkloadClient } from '../../src/http/workload-client.ts';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { entry } from '../fakes/trust-domain.ts';
import { asAws } from '../support/credentials.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import { ask } from '../support/http.ts';
import { startServiceHost, TEST_LIMITS } from '../support/service-host.ts';
import { startWorld, type World } from '../support/world.ts';

const digest = (char: string) => `sha256:${char.repeat(64)}`;
const [GOOD, OTHER] = [digest('a'), digest('b')];

const POLICY = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
digestSelector: true
wasi: [clocks, random, stdio]
audiences: [sts.amazonaws.com]
grants:
  models: { aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1 } }
files: [models]
`;

/** A world whose one registration entry names these bytes. */
function startWith(named: string, policy = POLICY): Promise<World> {
  return startWorld({
    policies: { 'api.yaml': policy },
    entries: [entry('spiffe://example.org/team/api', 'wasmcloud:component:api', `wasm:digest:${named}`)],
  });
}

describe('an entry that names the bytes', () => {
  test('gives them the identity and the credentials, by the private socket too', async () => {
    const world = await startWith(GOOD);
    const caller = { component: 'api', digest: GOOD };
    for (const broker of [world.service.broker, createBrokerClient(world.config.brokerSocket)]) {
      expect(String((await broker.identity(caller, ['sts.amazonaws.com'])).spiffeId)).toBe(
        'spiffe://example.org/team/api',
      );
      expect(asAws(await broker.credentials(caller, 'models')).accessKeyId).toMatch(/^ASIA/);
    }
  });

  test.each(['before', 'after'])('gives other bytes nothing, %s the right ones have theirs in memory', async (when) => {
    const world = await startWith(GOOD);
    const broker = createBrokerClient(world.config.brokerSocket);
    const good = async () => {
      await broker.identity({ component: 'api', digest: GOOD }, ['sts.amazonaws.com']);
      await broker.credentials({ component: 'api', digest: GOOD }, 'models');
    };
    if (when === 'after') await good();
    const other = { component: 'api', digest: OTHER };
    expect(await refusalCode(broker.identity(other, ['sts.amazonaws.com']))).toBe('identity_not_found');
    expect(await refusalCode(broker.credentials(other, 'models'))).toBe('identity_not_found');
    await good();
  });

  test('gives nothing to whoever says no digest, by any way', async () => {
    const { service, config } = await startWith(GOOD);
    const caller = { component: 'api' };
    const socket = config.brokerSocket;
    const asked = [
      service.broker.identity(caller, ['sts.amazonaws.com']),
      service.broker.credentials(caller, 'models'),
      service.broker.injected(caller, 'models'),
      service.hosting.rights(caller),
      createBrokerClient(socket).credentials(caller, 'models'),
      createSessionClient(socket).open(caller),
      createTokenFileClient(socket).get(caller, 'models'),
      createWorkloadClient(socket).open(caller),
    ];
    for (const one of asked) {
      expect(await refusal(one)).toMatchObject({
        code: 'policy_denied',
        message: 'component "api": its policy wants the digest of its bytes, and nobody has said it',
      });
    }
  });

  test('gives it in a session, by the Workload API and in a file to whoever says the right one', async () => {
    const { config } = await startWith(GOOD);
    const caller = { component: 'api', digest: GOOD };
    const { endpoint, secret } = await createSessionClient(config.brokerSocket).open(caller);
    const answer = await ask(endpoint ?? '', { path: '/aws/models', headers: { Authorization: secret.reveal() } });
    expect(answer.status).toBe(200);
    expect((await createTokenFileClient(config.brokerSocket).get(caller, 'models')).token.reveal()).toMatch(/^eyJ/);
    const socket = await createWorkloadClient(config.brokerSocket).open(caller);
    onTestFinished(socket.close);

    const other = await createSessionClient(config.brokerSocket).open({ component: 'api', digest: OTHER });
    const refused = await ask(endpoint ?? '', {
      path: '/aws/models',
      headers: { Authorization: other.secret.reveal() },
    });
    expect([refused.status, JSON.parse(refused.text).Code]).toEqual([404, 'identity_not_found']);
  });

  test.each(['', 'sha256:', GOOD.toUpperCase(), `${GOOD} `, `${GOOD}0`, GOOD.replace('sha256', 'sha512'), 'x:y'])(
    'is asked nothing for a digest %j',
    async (malformed) => {
      const { service, config, log } = await startWith(GOOD);
      for (const broker of [service.broker, createBrokerClient(config.brokerSocket)]) {
        expect(await refusalCode(broker.credentials({ component: 'api', digest: malformed }, 'models'))).toBe(
          'request_invalid',
        );
      }
      expect(log.audits().map(({ action }) => action)).toEqual(['credentials.request']);
    },
  );

  test('is matched with the bytes that a host really runs: a changed component loses its identity', async () => {
    const bytes = await readFile(inject('apiGatewayWasm'));
    // A custom section of the component: other bytes, and the same behaviour (component model, binary format).
    const changed = Buffer.concat([bytes, Buffer.from([0, 3, 1, 0x78, 0x79])]);
    const unknown = await startWith(GOOD);
    const load = async (world: World, what: Uint8Array) => {
      return startServiceHost(world.service).load('api', what, TEST_LIMITS);
    };
    const component = await load(unknown, bytes);
    expect(await component.call('credentials-for', ['models'])).toMatchObject({
      err: { tag: 'no-identity', val: { code: 'identity_not_found' } },
    });

    const world = await startWith(component.digest);
    expect(await (await load(world, bytes)).call('credentials-for', ['models'])).toMatchObject({ ok: { tag: 'aws' } });
    const other = await load(world, changed);
    expect(other.digest).not.toBe(component.digest);
    expect(await other.call('credentials-for', ['models'])).toMatchObject({
      err: { tag: 'no-identity', val: { code: 'identity_not_found' } },
    });
  });
});

describe('the entries that the embedded trust domain makes', () => {
  test('name the bytes that the policy pins', async () => {
    const world = await startWorld({ policies: { 'api.yaml': `${POLICY}digest: ${GOOD}\n` } });
    const { broker } = world.service;
    expect(await broker.credentials({ component: 'api', digest: GOOD }, 'models')).toMatchObject({ kind: 'aws' });
    expect(await refusalCode(broker.credentials({ component: 'api', digest: OTHER }, 'models'))).toBe('policy_denied');
  });

  test('are for any bytes where it pins none', async () => {
    const world = await startWorld({ policies: { 'api.yaml': POLICY } });
    const { broker } = world.service;
    for (const one of [GOOD, OTHER]) {
      expect(await broker.credentials({ component: 'api', digest: one }, 'models')).toMatchObject({ kind: 'aws' });
    }
  });
});

test('the selector of an entry is written as any other', () => {
  expect(parseSelector(`wasm:digest:${GOOD}`)).toEqual({ type: 'wasm', value: `digest:${GOOD}` });
});
