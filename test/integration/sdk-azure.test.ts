import { describe, expect, test } from 'vitest';
import { EXPIRY_SECONDS, FAKE_ACCESS_TOKEN } from '../fakes/broker.ts';
import { API_CLIENT, OTHER_CLIENT, STORAGE, startEndpoints } from '../support/sdk-endpoints.ts';
import { runSdkProgram } from '../support/sdk-program.ts';

const TOKEN = { token: 'the-access-token-of-entra', expiresOnTimestamp: EXPIRY_SECONDS * 1000 };
const GRAPH = 'https://graph.example.org';

/** The endpoints, a session, and the variables of a program that asks there. */
async function startSession() {
  const world = await startEndpoints();
  world.broker.give = FAKE_ACCESS_TOKEN;
  const { session, secret } = await world.open();
  return { ...world, session, env: { IDENTITY_ENDPOINT: `${world.url}/azure/token`, IDENTITY_HEADER: secret } };
}

describe('@azure/identity as it is', () => {
  test('ManagedIdentityCredential', async () => {
    const { env, broker } = await startSession();
    expect(await runSdkProgram('azure', ['managed', `${STORAGE}/.default`], env)).toEqual([TOKEN]);
    expect(broker.asked).toEqual([{ caller: { component: 'api' }, grant: 'blobs' }]);
  });

  test('ManagedIdentityCredential of a user-assigned identity', async () => {
    const { env, broker } = await startSession();
    expect(await runSdkProgram('azure', ['managed', `${GRAPH}/.default`, OTHER_CLIENT], env)).toEqual([TOKEN]);
    expect(broker.asked).toEqual([{ caller: { component: 'api' }, grant: 'graph-two' }]);
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
