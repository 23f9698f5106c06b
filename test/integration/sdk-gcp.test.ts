import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { externalAccountJson } from '../../src/credentials/external-account.ts';
import { ask } from '../support/http.ts';
import { runSdkProgram } from '../support/sdk-program.ts';
import { tempFolder } from '../support/temp.ts';
import { startWorld, type World } from '../support/world.ts';

const PROVIDER = 'projects/123456789/locations/global/workloadIdentityPools/pool-one/providers/spire';
const ACCOUNT = 'reader@example.iam.gserviceaccount.com';
const AUDIENCE = `https://iam.googleapis.com/${PROVIDER}`;

const policy = (audience: string): string => `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
audiences: ['${audience}']
grants:
  files: { gcp: { provider: ${PROVIDER}, serviceAccount: ${ACCOUNT}, lifetime: 30m } }
`;

/**
 * Google's two services: the token exchange verifies the subject token through our published issuer and gives a token for
 * its subject, the impersonation gives one for the account.
 */
async function startGoogle({ config: { issuer } }: World): Promise<string> {
  const keys = createRemoteJWKSet(new URL(issuer.keysUrl));
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const send = (status: number, json: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(json));
    };
    if (request.url?.includes(':generateAccessToken')) {
      const lifetime = JSON.parse(body).lifetime;
      const accessToken = `${request.url.split('/').at(-1)} for ${request.headers.authorization}, ${lifetime}`;
      send(200, { accessToken, expireTime: new Date(Date.now() + 1_800_000).toISOString() });
      return;
    }
    const form = new URLSearchParams(body);
    try {
      const { payload } = await jwtVerify(form.get('subject_token') ?? '', keys, {
        issuer: issuer.url,
        audience: `https:${form.get('audience')}`,
      });
      const token = { access_token: payload.sub, token_type: 'Bearer', expires_in: 3600 };
      send(200, { ...token, issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
    } catch (error) {
      send(400, { error: 'invalid_grant', error_description: String(error) });
    }
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

async function run(audience: string, isGood = true) {
  const world = await startWorld({ policies: { 'api.yaml': policy(audience) } });
  const google = await startGoogle(world);
  const { broker, endpoints: endpoint = '' } = world.service.urls;
  const opened = await ask(broker, {
    method: 'POST',
    path: '/v1/sessions',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ component: 'api', grant: 'files' }),
  });
  const { secret, grants } = JSON.parse(opened.text);
  const [{ name, ...grant }] = grants;
  const file = join(await tempFolder(), 'google.json');
  const json = externalAccountJson({
    name,
    grant,
    endpoint,
    secret: new Secret(isGood ? secret : 'wrong'),
    tokenUrl: `${google}/v1/token`,
    iamCredentialsUrl: google,
  });
  await writeFile(file, json, { mode: 0o600 });
  // Without a project the library asks Google's resource manager for its name.
  const env = { GOOGLE_APPLICATION_CREDENTIALS: file, GOOGLE_CLOUD_PROJECT: 'example' };
  const seen = await runSdkProgram('gcp', [], env);
  return { seen, world };
}

test("google-auth-library's default client: its subject token is verified through our issuer", async () => {
  const { seen, world } = await run(AUDIENCE);
  expect(seen).toEqual([{ token: `${ACCOUNT}:generateAccessToken for Bearer spiffe://example.org/team/api, 1800s` }]);
  const requests = world.log.audits().filter(({ action }) => action === 'identity.request');
  expect(requests).toMatchObject([{ component: 'api', audience: [AUDIENCE], outcome: 'ok' }]);
});

test('a component that may not hold the token has none, whatever its grant', async () => {
  const { seen, world } = await run('another.example.org');
  expect(String(seen[0]?.['message'])).toContain('403');
  expect(world.log.audits().filter(({ action }) => action === 'identity.mint')).toEqual([]);
});

test('a wrong secret', async () => {
  const { seen, world } = await run(AUDIENCE, false);
  expect(String(seen[0]?.['message'])).toContain('401');
  expect(world.log.audits().filter(({ action }) => action === 'identity.mint')).toEqual([]);
});
