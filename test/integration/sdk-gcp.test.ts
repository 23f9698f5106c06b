import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { externalAccountJson } from '../../src/credentials/external-account.ts';
import { startGoogle } from '../fakes/google-sts.ts';
import { ask } from '../support/http.ts';
import { runSdkProgram } from '../support/sdk-program.ts';
import { tempFolder } from '../support/temp.ts';
import { startWorld } from '../support/world.ts';

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

async function run(audience: string, isGood = true) {
  const world = await startWorld({ policies: { 'api.yaml': policy(audience) } });
  const google = await startGoogle({
    providers: [{ name: PROVIDER, issuer: world.config.issuer.url }],
    serviceAccounts: { [ACCOUNT]: ['spiffe://example.org/team/api'] },
  });
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
    tokenUrl: `${google.url}/v1/token`,
    iamCredentialsUrl: google.url,
  });
  await writeFile(file, json, { mode: 0o600 });
  // Without a project the library asks Google's resource manager for its name.
  const env = { GOOGLE_APPLICATION_CREDENTIALS: file, GOOGLE_CLOUD_PROJECT: 'example' };
  const seen = await runSdkProgram('gcp', [], env);
  return { seen, world, google };
}

test("google-auth-library's default client: its subject token is verified through our issuer", async () => {
  const { seen, world, google } = await run(AUDIENCE);
  expect(google.issued.get(String(seen[0]?.['token']))).toBe(ACCOUNT);
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
