import { readFile } from 'node:fs/promises';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { describe, expect, inject, test } from 'vitest';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { createHostingClient } from '../../src/http/hosting-client.ts';
import { createTestHost } from '../support/components.ts';
import { refusalCode } from '../support/errors.ts';
import { API_POLICY, LEDGER_POLICY, startWorld, type World } from '../support/world.ts';

async function callComponent(world: World, name: string, fn: string, ...args: unknown[]) {
  const broker = createBrokerClient(world.config.brokerSocket);
  const { host, load } = createTestHost({ broker, hosting: createHostingClient(world.config.brokerSocket) });
  try {
    const component = await load(name, await readFile(inject('apiGatewayWasm')));
    return await component.call(fn, args);
  } finally {
    await host.close();
  }
}

describe.each(['ec-p256', 'rsa-2048'] as const)('the whole flow with keys of type %s', (keyType) => {
  test('a component has its identity, verified through the published issuer as any cloud would', async () => {
    const world = await startWorld({ keyType });
    const result = await callComponent(world, 'api', 'claims', 'sts.amazonaws.com');
    const claims = JSON.parse(String('ok' in result ? result.ok : ''));
    expect(claims).toMatchObject({ sub: 'spiffe://example.org/team/api', iss: world.config.issuer.url });

    const svid = await world.service.broker.identity({ component: 'api' }, ['sts.amazonaws.com']);
    const discovery: unknown = await (await fetch(world.config.issuer.discoveryUrl)).json();
    expect(discovery).toMatchObject({
      issuer: world.config.issuer.url,
      id_token_signing_alg_values_supported: [keyType === 'ec-p256' ? 'ES256' : 'RS256'],
    });
    const keys = createRemoteJWKSet(new URL(world.config.issuer.keysUrl));
    const { payload } = await jwtVerify(svid.token.reveal(), keys, { issuer: world.config.issuer.url });
    expect(payload.sub).toBe('spiffe://example.org/team/api');
  });

  test('a component has AWS credentials, and STS says whose they are', async () => {
    const world = await startWorld({ keyType });
    const result = await callComponent(world, 'api', 'credentials-for', 'models');
    expect(result).toMatchObject({ ok: { tag: 'aws', val: { region: 'us-east-1' } } });
    const { accessKeyId, secretAccessKey, sessionToken } = Object(Object('ok' in result && result.ok).val);
    expect(accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);

    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const sts = new STSClient({ region: 'us-east-1', endpoint: world.trust.stsUrl, credentials });
    expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: '111122223333',
      Arn: 'arn:aws:sts::111122223333:assumed-role/models/team=api@example.org',
    });
  });
});

describe('what is not granted', () => {
  /** A component that may have credentials, but not those of another. */
  const grants = 'grants: { books: { aws: { roleArn: arn:aws:iam::111122223333:role/books, region: us-east-1 } } }\n';
  const policies = { 'api.yaml': API_POLICY, 'ledger.yaml': LEDGER_POLICY + grants };

  test('a component without the grant is refused, in its own interface, and nothing is asked upstream', async () => {
    const world = await startWorld({ policies });
    const result = await callComponent(world, 'ledger', 'credentials-for', 'models');
    expect(result).toEqual({
      err: { tag: 'denied', val: { code: 'policy_denied', message: 'component "ledger": it has no grant "models"' } },
    });
    expect(world.log.audits().map(({ action, outcome, code }) => [action, outcome, code])).toEqual([
      ['credentials.request', 'denied', 'policy_denied'],
    ]);
  });

  test('a component without the audience is refused', async () => {
    const world = await startWorld({ policies });
    const result = await callComponent(world, 'ledger', 'claims', 'sts.amazonaws.com');
    expect(result).toEqual({
      err: 'policy_denied: component "ledger": the audience "sts.amazonaws.com" is not granted to it',
    });
  });

  test('a component without a policy is refused', async () => {
    const world = await startWorld();
    expect(await refusalCode(world.service.broker.credentials({ component: 'nobody' }, 'models'))).toBe(
      'policy_denied',
    );
    expect(await refusalCode(world.service.broker.identity({ component: '__proto__' }, ['a']))).toBe('policy_denied');
  });

  test('an identity that may be exchanged need not be one that the component may hold', async () => {
    const world = await startWorld({
      policies: {
        'api.yaml': `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
grants: { models: { aws: { roleArn: arn:aws:iam::111122223333:role/models, region: us-east-1 } } }
`,
      },
    });
    expect(await world.service.broker.credentials({ component: 'api' }, 'models')).toMatchObject({ kind: 'aws' });
    const held = world.service.broker.identity({ component: 'api' }, ['sts.amazonaws.com']);
    expect(await refusalCode(held)).toBe('policy_denied');
  });
});
