import { describe, expect, test } from 'vitest';
import { createSessionClient } from '../../src/http/session-client.ts';
import { EXPIRY_SECONDS, FAKE_ACCESS_TOKEN } from '../fakes/broker.ts';
import { type FederatedCredential, startEntra } from '../fakes/entra.ts';
import { CLIENT_ID, TENANT_ID } from '../support/cloud-grants.ts';
import { findLeaks } from '../support/find-leaks.ts';
import { API_CLIENT, OTHER_CLIENT, STORAGE, startEndpoints } from '../support/sdk-endpoints.ts';
import { runSdkProgram } from '../support/sdk-program.ts';
import { startWorld } from '../support/world.ts';

/** The SDK counts from the second in which it reads the answer: where one ends meanwhile, its end is one second off. */
const TOKEN = { token: 'the-access-token-of-entra', expiresOnTimestamp: expect.closeTo(EXPIRY_SECONDS * 1000, -4) };
const GRAPH = 'https://graph.example.org';

/** The endpoints, a session, and the variables of a program that asks there. */
async function startSession() {
  const world = await startEndpoints();
  world.broker.give = FAKE_ACCESS_TOKEN;
  const { session, secret } = await world.open();
  return { ...world, session, env: { IDENTITY_ENDPOINT: `${world.url}/azure/token`, IDENTITY_HEADER: secret } };
}

/** The whole service between its embedded trust domain and a server that checks as Entra ID does. */
async function startService() {
  const credentials: FederatedCredential[] = [];
  const entra = await startEntra({ tenantId: TENANT_ID, clientId: CLIENT_ID, credentials, resources: [STORAGE] });
  const world = await startWorld({
    policies: {
      'api.yaml': `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
grants:
  blobs:
    azure: { tenantId: ${TENANT_ID}, clientId: ${CLIENT_ID}, scope: '${STORAGE}/.default', authorityHost: '${entra.url}' }
`,
    },
    keyType: 'rsa-2048',
  });
  const { broker, endpoints } = world.service.urls;
  const { secret } = await createSessionClient(broker.replace(/^unix:/, '')).open({ component: 'api' });
  const env = { IDENTITY_ENDPOINT: `${endpoints}/azure/token`, IDENTITY_HEADER: secret.reveal() };
  const federate = (subject: string): void =>
    void credentials.push({ issuer: world.config.issuer.url, subject, audience: 'api://AzureADTokenExchange' });
  return { entra, world, env, federate };
}

describe('with the whole service and Entra', () => {
  test('the SDK gets a token of Entra for the identity of its component, by one exchange', async () => {
    const { entra, world, env, federate } = await startService();
    federate('spiffe://example.org/team/api');
    const [first] = await runSdkProgram('azure', ['default', `${STORAGE}/.default`], env);
    const [second] = await runSdkProgram('azure', ['managed', `${STORAGE}/.default`, CLIENT_ID], env);
    expect(entra.issued.get(String(first?.['token']))).toEqual({ clientId: CLIENT_ID, resource: STORAGE });
    expect(second?.['token']).toBe(first?.['token']);
    expect(entra.issued.size).toBe(1);
    const secrets = [...entra.issued.keys(), env.IDENTITY_HEADER.slice(23)];
    expect(findLeaks(world.log.lines.join('\n'), secrets)).toEqual([]);
  });

  test('the SDK hears that Entra refuses, at once', async () => {
    const { entra, env, federate } = await startService();
    federate('spiffe://example.org/team/ledger');
    const [refused] = await runSdkProgram('azure', ['managed', `${STORAGE}/.default`], env);
    expect(String(refused?.['message'])).toContain('exchange_denied');
    expect(entra.issued.size).toBe(0);
  });
});

describe('@azure/identity as it is', () => {
  test('ManagedIdentityCredential', async () => {
    const { env, broker } = await startSession();
    expect(await runSdkProgram('azure', ['managed', `${STORAGE}/.default`], env)).toEqual([TOKEN]);
    expect(broker.asked).toMatchObject([{ caller: { component: 'api' }, grant: 'blobs' }]);
  });

  test('ManagedIdentityCredential of a user-assigned identity', async () => {
    const { env, broker } = await startSession();
    expect(await runSdkProgram('azure', ['managed', `${GRAPH}/.default`, OTHER_CLIENT], env)).toEqual([TOKEN]);
    expect(broker.asked).toMatchObject([{ caller: { component: 'api' }, grant: 'graph-two' }]);
  });

  test('DefaultAzureCredential, and with AZURE_CLIENT_ID', async () => {
    const { env, broker } = await startSession();
    expect(await runSdkProgram('azure', ['default', `${STORAGE}/.default`], env)).toEqual([TOKEN]);
    const named = { ...env, AZURE_CLIENT_ID: API_CLIENT };
    expect(await runSdkProgram('azure', ['default', `${GRAPH}/.default`], named)).toEqual([TOKEN]);
    expect(broker.asked.map(({ grant }) => grant)).toEqual(['blobs', 'graph-one']);
  });

  test('an identity that there is not is said at once, with our words', async () => {
    const { env, broker, log } = await startSession();
    const [refused] = await runSdkProgram('azure', ['managed', 'https://vault.azure.net/.default'], env);
    expect(refused).toMatchObject({ name: 'CredentialUnavailableError' });
    expect(String(refused?.['message'])).toContain('policy_denied: component "api": it has no azure grant');
    // Once: what is 400 the SDK does not repeat.
    expect(log.audits().filter(({ outcome }) => outcome === 'denied')).toHaveLength(1);
    expect(broker.asked).toEqual([]);
  });

  test('a wrong secret', async () => {
    const { env, broker } = await startSession();
    const wrong = { ...env, IDENTITY_HEADER: 'wrong' };
    const [refused] = await runSdkProgram('azure', ['managed', `${STORAGE}/.default`], wrong);
    expect(String(refused?.['message'])).toContain('session_invalid');
    expect(broker.asked).toEqual([]);
  });
});
