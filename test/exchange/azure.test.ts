import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { AzureGrant } from '../../src/credentials/grants/azure.ts';
import { createAzureExchanger } from '../../src/exchange/azure.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { ENTRA_ACCESS_TOKEN, entraTokenJson } from '../fakes/scripted-entra.ts';
import { type ScriptedUpstream, startScriptedUpstream } from '../fakes/scripted-upstream.ts';
import { blobsGrant, CLIENT_ID, TENANT_ID } from '../support/cloud-grants.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { subjectToken } from '../support/exchange.ts';
import { watchOutgoingRequests } from '../support/outgoing-requests.ts';

const good = { contentType: 'application/json; charset=utf-8', body: entraTokenJson() };

async function startGoodEntra(): Promise<ScriptedUpstream> {
  const entra = await startScriptedUpstream(good);
  entra.onRequest = () => ({ status: 200, body: good.body });
  return entra;
}

/** What an exchange sends: the one request of a good one. */
async function requestOf(changes: Partial<AzureGrant> = {}) {
  const entra = await startGoodEntra();
  const svid = await subjectToken();
  const exchanger = createAzureExchanger({ clock: createFakeClock(), random: () => 0.5 });
  const credentials = await exchanger.exchange(svid, blobsGrant(entra.url, changes), { signal: unaborted() });
  expect(entra.requests.all).toHaveLength(1);
  return { request: await entra.requests.next(), token: svid.token.reveal(), credentials };
}

function stubEnv(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

describe('the request', () => {
  test('is a POST of a form to the token endpoint of the tenant', async () => {
    const { request, token } = await requestOf();
    expect(request).toMatchObject({ method: 'POST', url: `/${TENANT_ID}/oauth2/v2.0/token` });
    expect(request.headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded;charset=utf-8',
      'accept-encoding': 'identity',
    });
    // Besides these there are the name and version of the SDK and an ID of the request.
    const params = [...new URLSearchParams(request.body)].filter(([name]) => !/^(x-|client-request-id$)/.test(name));
    expect(params.toSorted()).toEqual([
      ['client_assertion', token],
      ['client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
      ['client_id', CLIENT_ID],
      ['grant_type', 'client_credentials'],
      ['scope', 'https://storage.azure.com/.default'],
    ]);
  });

  test('has the token in its body alone', async () => {
    const { request, token } = await requestOf();
    const elsewhere = JSON.stringify([request.url, request.headers]);
    for (const part of token.split('.')) expect(elsewhere).not.toContain(part);
    expect(request.headers['authorization']).toBeUndefined();
    expect(request.body.split(token)).toHaveLength(2);
  });

  test('carries what the grant says', async () => {
    const { request } = await requestOf({ tenantId: 'example.org', scope: 'api://other+thing/.default' });
    expect(request.url).toBe('/example.org/oauth2/v2.0/token');
    expect(new URLSearchParams(request.body).get('scope')).toBe('api://other+thing/.default');
  });

  test('is made anew for each exchange: the SDK holds no token back', async () => {
    const entra = await startGoodEntra();
    const exchanger = createAzureExchanger({ clock: createFakeClock(), random: () => 0.5 });
    const [first, second] = [await subjectToken(), await subjectToken()];
    for (const svid of [first, first, second]) {
      await exchanger.exchange(svid, blobsGrant(entra.url), { signal: unaborted() });
    }
    const assertions = entra.requests.all.map(({ body }) => new URLSearchParams(body).get('client_assertion'));
    expect(assertions).toEqual([first, first, second].map(({ token }) => token.reveal()));
  });
});

describe('the credential', () => {
  test('is the token that Entra gave, and expires by our clock', async () => {
    const { credentials } = await requestOf();
    expect(credentials).toMatchObject({
      kind: 'azure',
      tokenType: 'Bearer',
      expiresAt: Date.parse('2026-11-22T12:59:59Z'),
    });
    expect(credentials.token.reveal()).toBe(ENTRA_ACCESS_TOKEN);
    expect(Object.isFrozen(credentials)).toBe(true);
    expect(JSON.stringify(credentials)).not.toContain(ENTRA_ACCESS_TOKEN);
  });
});

describe("the host's own configuration", () => {
  const elsewhere = 'https://127.0.0.1:9';

  test.each<[string, Record<string, string>]>([
    ['another authority', { AZURE_AUTHORITY_HOST: elsewhere }],
    ['another identity', { AZURE_TENANT_ID: 'other', AZURE_CLIENT_ID: 'other', AZURE_CLIENT_SECRET: 'host-secret' }],
    ['a token of its own', { AZURE_FEDERATED_TOKEN_FILE: '/nonexistent' }],
    ['a region', { AZURE_REGIONAL_AUTHORITY_NAME: 'westus' }],
    ['a region that is found out', { AZURE_REGIONAL_AUTHORITY_NAME: 'AutoDiscoverRegion', REGION_NAME: 'westus' }],
    ['a region that is a host of its own', { AZURE_REGIONAL_AUTHORITY_NAME: 'evil.example.org/?' }],
    ['a region forced upon MSAL', { MSAL_FORCE_REGION: 'westus' }],
    ['one tenant only', { AZURE_IDENTITY_DISABLE_MULTITENANTAUTH: 'true' }],
    ['a managed identity', { IDENTITY_ENDPOINT: 'http://127.0.0.1:9', IDENTITY_HEADER: 'x', MSI_ENDPOINT: elsewhere }],
    ['a proxy', { HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', ALL_PROXY: elsewhere }],
    ['a proxy that is none', { HTTPS_PROXY: '::' }],
  ])('does not change the request or break it: %s', async (_, env) => {
    stubEnv(env);
    const { request } = await requestOf();
    expect(request.url).toBe(`/${TENANT_ID}/oauth2/v2.0/token`);
    expect(new URLSearchParams(request.body).get('client_id')).toBe(CLIENT_ID);
    expect(request.body).not.toContain('host-secret');
  });

  test("does not send the token elsewhere than to the grant's own authority host", async () => {
    stubEnv({ AZURE_AUTHORITY_HOST: elsewhere, AZURE_REGIONAL_AUTHORITY_NAME: 'westus', HTTPS_PROXY: elsewhere });
    const requests: string[] = [];
    let abort = new AbortController();
    watchOutgoingRequests((url) => {
      requests.push(url);
      abort.abort(new Error('seen enough'));
    });
    const exchanger = createAzureExchanger({ clock: createFakeClock(), random: () => 0.5 });
    const hosts = [
      'https://login.microsoftonline.com',
      'https://login.microsoftonline.us',
      'https://login.partner.microsoftonline.cn',
      'https://login.chinacloudapi.cn',
      'https://login.of-a-cloud-to-come.example.org',
    ];
    for (const host of hosts) {
      abort = new AbortController();
      const exchange = exchanger.exchange(await subjectToken(), blobsGrant(host), { signal: abort.signal });
      await expect(exchange).rejects.toThrow('seen enough');
    }
    expect(requests).toEqual(hosts.map((host) => `${host}/${TENANT_ID}/oauth2/v2.0/token`));
  });

  test('may name a proxy to Node and have the SDK log: there is no proxy, and in the log no token', async () => {
    const entra = await startGoodEntra();
    const svid = await subjectToken();
    const file = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const program = `
      const { createAzureExchanger } = await import(${file('../../src/exchange/azure.ts')});
      const { parseJwtSvidUnverified } = await import(${file('../../src/spiffe/jwt-svid.ts')});
      const { systemClock } = await import(${file('../../src/base/clock.ts')});
      const [svid, grant] = JSON.parse(process.env.INPUT);
      const exchanger = createAzureExchanger({ clock: systemClock, random: Math.random });
      const { kind } = await exchanger.exchange(parseJwtSvidUnverified(svid), grant, { signal: new AbortController().signal });
      console.log(kind);
      process.exit();`;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--disable-warning=ExperimentalWarning', '--eval', program],
      {
        env: {
          AZURE_LOG_LEVEL: 'verbose',
          // Read by Node itself, when it starts.
          NODE_USE_ENV_PROXY: '1',
          HTTP_PROXY: 'http://127.0.0.1:9',
          DEBUG: '*',
          INPUT: JSON.stringify([svid.token.reveal(), blobsGrant(entra.url)]),
        },
      },
    );
    expect(stdout).toBe('azure\n');
    expect(stderr).toContain('azure:identity');
    for (const part of [...svid.token.reveal().split('.'), ENTRA_ACCESS_TOKEN]) expect(stderr).not.toContain(part);
  });
});
