import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { GcpGrant } from '../../src/credentials/grants/gcp.ts';
import { createGcpExchanger } from '../../src/exchange/gcp.ts';
import { createFakeClock } from '../fakes/clock.ts';
import {
  FEDERATED_TOKEN,
  federatedTokenJson,
  SERVICE_ACCOUNT_TOKEN,
  serviceAccountTokenJson,
} from '../fakes/scripted-google.ts';
import { startScriptedUpstream } from '../fakes/scripted-upstream.ts';
import { FEDERATED_GRANT, IMPERSONATING_GRANT, PROVIDER, SERVICE_ACCOUNT } from '../support/cloud-grants.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { subjectToken } from '../support/exchange.ts';
import { watchOutgoingRequests } from '../support/outgoing-requests.ts';

const IMPERSONATION_PATH = `/v1/projects/-/serviceAccounts/${SERVICE_ACCOUNT}:generateAccessToken`;

/** A server that is both of Google's services, and well. */
async function startGoodGoogle() {
  const google = await startScriptedUpstream({ contentType: 'application/json', body: '' });
  google.onRequest = ({ url }) => ({
    status: 200,
    body: url === '/v1/token' ? federatedTokenJson() : serviceAccountTokenJson(),
  });
  return google;
}

function connect(url: string) {
  return createGcpExchanger({ clock: createFakeClock(), random: () => 0.5, stsEndpoint: url, iamEndpoint: url });
}

/** What an exchange sends. */
async function requestsOf(grant: GcpGrant) {
  const google = await startGoodGoogle();
  const svid = await subjectToken();
  const credentials = await connect(google.url).exchange(svid, grant, { signal: unaborted() });
  return { requests: google.requests.all, token: svid.token.reveal(), credentials };
}

function stubEnv(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

describe('the token exchange', () => {
  test('is a POST of a form with the parameters of RFC 8693', async () => {
    const { requests, token } = await requestsOf(FEDERATED_GRANT);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ method: 'POST', url: '/v1/token' });
    expect(requests[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect([...new URLSearchParams(requests[0]?.body)].toSorted()).toEqual([
      ['audience', `//iam.googleapis.com/${PROVIDER}`],
      ['grant_type', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      ['requested_token_type', 'urn:ietf:params:oauth:token-type:access_token'],
      ['scope', 'https://www.googleapis.com/auth/devstorage.read_only'],
      ['subject_token', token],
      ['subject_token_type', 'urn:ietf:params:oauth:token-type:jwt'],
    ]);
  });

  test('has the token in its body alone, and no other authorization', async () => {
    const { requests, token } = await requestsOf(FEDERATED_GRANT);
    const elsewhere = JSON.stringify([requests[0]?.url, requests[0]?.headers]);
    for (const part of token.split('.')) expect(elsewhere).not.toContain(part);
    expect(elsewhere).not.toMatch(/authorization|x-goog-user-project/i);
    expect(requests[0]?.body.split(token)).toHaveLength(2);
  });

  test('asks for all scopes of the grant', async () => {
    const { requests } = await requestsOf({ ...FEDERATED_GRANT, scopes: ['https://a.example', 'https://b.example'] });
    expect(new URLSearchParams(requests[0]?.body).get('scope')).toBe('https://a.example https://b.example');
  });

  test('gives the token of the federated identity, which expires by our clock', async () => {
    const { credentials } = await requestsOf(FEDERATED_GRANT);
    expect(credentials).toMatchObject({
      kind: 'gcp',
      tokenType: 'Bearer',
      expiresAt: Date.parse('2026-11-22T12:59:59Z'),
    });
    expect(credentials.token.reveal()).toBe(FEDERATED_TOKEN);
    expect(Object.isFrozen(credentials)).toBe(true);
    expect(JSON.stringify(credentials)).not.toContain(FEDERATED_TOKEN);
  });

  test('is made anew each time: the library holds no token back', async () => {
    const google = await startGoodGoogle();
    const exchanger = connect(google.url);
    const [first, second] = [await subjectToken(), await subjectToken()];
    for (const svid of [first, first, second]) await exchanger.exchange(svid, FEDERATED_GRANT, { signal: unaborted() });
    const tokens = google.requests.all.map(({ body }) => new URLSearchParams(body).get('subject_token'));
    expect(tokens).toEqual([first, first, second].map(({ token }) => token.reveal()));
  });
});

describe('the impersonation of a service account', () => {
  test('follows with the token of the federated identity, for the scopes and the lifetime of the grant', async () => {
    const { requests, token } = await requestsOf(IMPERSONATING_GRANT);
    expect(requests).toHaveLength(2);
    expect(new URLSearchParams(requests[0]?.body).get('scope')).toBe('https://www.googleapis.com/auth/cloud-platform');
    expect(requests[1]).toMatchObject({ method: 'POST', url: IMPERSONATION_PATH });
    expect(requests[1]?.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: `Bearer ${FEDERATED_TOKEN}`,
    });
    expect(JSON.parse(requests[1]?.body ?? '')).toEqual({
      scope: ['https://www.googleapis.com/auth/devstorage.read_only'],
      lifetime: '1800s',
    });
    for (const part of token.split('.')) expect(JSON.stringify(requests[1])).not.toContain(part);
  });

  test('gives the token of the service account, not the one that it was had with', async () => {
    const { credentials } = await requestsOf(IMPERSONATING_GRANT);
    expect(credentials.token.reveal()).toBe(SERVICE_ACCOUNT_TOKEN);
    expect(credentials.expiresAt).toBe(Date.parse('2126-11-22T13:00:00Z'));
  });

  test('that fails for a moment is tried again without another token exchange', async () => {
    const google = await startGoodGoogle();
    const { onRequest } = google;
    google.onRequest = (request) => (google.requests.all.length === 2 ? 'reset' : onRequest(request));
    const clock = createFakeClock();
    const options = { clock, random: () => 0.5, stsEndpoint: google.url, iamEndpoint: google.url };
    const running = createGcpExchanger(options).exchange(await subjectToken(), IMPERSONATING_GRANT, {
      signal: unaborted(),
    });
    await google.requests.next();
    await google.requests.next();
    // The first timer ends the attempt, the second one the wait after it.
    while (google.requests.all.length < 3) await clock.advance(10);
    expect((await running).token.reveal()).toBe(SERVICE_ACCOUNT_TOKEN);
    expect(google.requests.all.map(({ url }) => url)).toEqual(['/v1/token', IMPERSONATION_PATH, IMPERSONATION_PATH]);
  });
});

describe("the host's own configuration", () => {
  const proxy = 'http://127.0.0.1:9';

  test.each<[string, Record<string, string>]>([
    ['credentials', { GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent', CLOUDSDK_CONFIG: '/nonexistent' }],
    ['a project', { GOOGLE_CLOUD_PROJECT: 'host', GCLOUD_PROJECT: 'host', GOOGLE_CLOUD_QUOTA_PROJECT: 'host' }],
    ['another universe', { GOOGLE_CLOUD_UNIVERSE_DOMAIN: 'evil.example.org' }],
    ['a metadata server', { GCE_METADATA_HOST: '127.0.0.1:9', METADATA_SERVER_DETECTION: 'assume-present' }],
    ['certificates', { GOOGLE_API_USE_CLIENT_CERTIFICATE: 'true', GOOGLE_API_CERTIFICATE_CONFIG: '/nonexistent' }],
    ['a proxy', { HTTPS_PROXY: proxy, https_proxy: proxy, HTTP_PROXY: proxy, http_proxy: proxy }],
    ['a proxy that is none', { HTTPS_PROXY: '::' }],
  ])('does not change the requests or break them: %s', async (_, env) => {
    const expected = await requestsOf(IMPERSONATING_GRANT);
    stubEnv(env);
    const { requests, token } = await requestsOf(IMPERSONATING_GRANT);
    const comparable = ({ url, headers, body }: (typeof requests)[number], own: string) => ({
      url,
      headers: { ...headers, host: '', 'content-length': '' },
      body: body.replace(own, 'TOKEN'),
    });
    expect(requests.map((request) => comparable(request, token))).toEqual(
      expected.requests.map((request) => comparable(request, expected.token)),
    );
  });

  test.each([
    ['the JWT-SVID', undefined, ['https://sts.googleapis.com/v1/token']],
    ['the federated token', 'local', ['LOCAL/v1/token', `https://iamcredentials.googleapis.com${IMPERSONATION_PATH}`]],
  ])('does not send %s elsewhere than to Google', async (_, sts, expected) => {
    stubEnv({ HTTPS_PROXY: proxy, GOOGLE_CLOUD_UNIVERSE_DOMAIN: 'evil.example.org' });
    const google = await startGoodGoogle();
    const requests: string[] = [];
    const abort = new AbortController();
    watchOutgoingRequests((url) => {
      requests.push(url.replace('http://127.0.0.1', 'LOCAL'));
      if (url.startsWith('https:')) abort.abort(new Error('seen enough'));
    });
    const exchanger = createGcpExchanger({
      clock: createFakeClock(),
      random: () => 0.5,
      stsEndpoint: sts && google.url,
    });
    const running = exchanger.exchange(await subjectToken(), IMPERSONATING_GRANT, { signal: abort.signal });
    await expect(running).rejects.toThrow('seen enough');
    expect(requests).toEqual(expected);
  });

  test('may name a proxy to Node and have the library log: there is no proxy, and in the log no token', async () => {
    const google = await startGoodGoogle();
    const svid = await subjectToken();
    const file = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const program = `
      const { createGcpExchanger } = await import(${file('../../src/exchange/gcp.ts')});
      const { parseJwtSvidUnverified } = await import(${file('../../src/spiffe/jwt-svid.ts')});
      const { systemClock } = await import(${file('../../src/base/clock.ts')});
      const [svid, grant, url] = JSON.parse(process.env.INPUT);
      const exchanger = createGcpExchanger({ clock: systemClock, random: Math.random, stsEndpoint: url, iamEndpoint: url });
      const { kind } = await exchanger.exchange(parseJwtSvidUnverified(svid), grant, { signal: new AbortController().signal });
      console.log(kind);
      process.exit();`;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--disable-warning=ExperimentalWarning', '--eval', program],
      {
        env: {
          GOOGLE_SDK_NODE_LOGGING: '*',
          // Read by Node itself, when it starts.
          NODE_USE_ENV_PROXY: '1',
          HTTP_PROXY: 'http://127.0.0.1:9',
          NODE_DEBUG: 'auth',
          DEBUG: '*',
          INPUT: JSON.stringify([svid.token.reveal(), IMPERSONATING_GRANT, google.url]),
        },
      },
    );
    expect(stdout).toBe('gcp\n');
    for (const part of [...svid.token.reveal().split('.'), FEDERATED_TOKEN, SERVICE_ACCOUNT_TOKEN]) {
      expect(stderr).not.toContain(part);
    }
  });
});
