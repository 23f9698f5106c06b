import { readFile } from 'node:fs/promises';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { createSessionClient } from '../../src/http/session-client.ts';
import { createTokenFileClient } from '../../src/http/token-file-client.ts';
import { createWorkloadClient } from '../../src/http/workload-client.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { asAws } from '../support/credentials.ts';
import { refusal } from '../support/errors.ts';
import { envOf } from '../support/exec.ts';
import { ask, type HttpAnswer } from '../support/http.ts';
import { createRawWorkload } from '../support/raw-workload.ts';
import { AZURE_VERSION, codeOf, PROVIDER, PROVIDER_AUDIENCE, STORAGE, TENANT } from '../support/sdk-endpoints.ts';
import { startServiceHost, TEST_LIMITS } from '../support/service-host.ts';
import { svidx } from '../support/svidx.ts';
import { postForm, refusalOf, requestFields } from '../support/token-endpoint.ts';
import { startWorld, type World } from '../support/world.ts';

const BATCH = 'spiffe://example.org/batch';

/** Each kind of grant that is only injected, and beside them one that is handed out. */
const POLICY = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
wasi: [clocks, random, stdio]
audiences: [held.example.org, '${PROVIDER_AUDIENCE}']
grants:
  models: { aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1 } }
  secret-aws:
    aws: { roleArn: 'arn:aws:iam::111122223333:role/secret', region: us-east-1 }
    inject: { host: bedrock-runtime.us-east-1.amazonaws.com }
  secret-azure:
    azure: { tenantId: ${TENANT}, clientId: ${TENANT}, scope: '${STORAGE}/.default' }
    inject: { host: account.blob.core.windows.net }
  secret-gcp: { gcp: { provider: ${PROVIDER} }, inject: { host: storage.googleapis.com } }
  secret-vault: { vault: { address: 'https://vault.example.org', role: r }, inject: { host: vault.example.org } }
  secret-oauth: { oauth: { issuer: 'https://login.example.org' }, inject: { host: api.example.org } }
tokenEndpoint: { subjects: [${BATCH}] }
`;

const SECRET = ['secret-aws', 'secret-azure', 'secret-gcp', 'secret-vault', 'secret-oauth'] as const;
const API = { component: 'api' };

const start = (): Promise<World> => startWorld({ policies: { 'api.yaml': POLICY }, tokenEndpoint: {} });

function refused(name: string): string {
  return `component "api": the grant "${name}" is only injected, never handed out`;
}

/** Nothing was asked of SPIRE or of a cloud. */
function expectNothingMinted({ log }: World): void {
  const actions = log.audits().map(({ action }) => action);
  expect(actions).not.toContain('identity.mint');
  expect(actions).not.toContain('credentials.exchange');
}

async function openSession(world: World) {
  const client = createSessionClient(world.config.brokerSocket);
  const session = await client.open(API);
  const secret = session.secret.reveal();
  const get = (path: string, headers: Record<string, string>): Promise<HttpAnswer> =>
    ask(session.endpoint ?? '', { path, headers });
  return { ...session, secret, get };
}

describe('a grant with "inject" is handed out', () => {
  test.each(SECRET)('by the private socket and in this process: not %s', async (name) => {
    const world = await start();
    for (const broker of [world.service.broker, createBrokerClient(world.config.brokerSocket)]) {
      expect(await refusal(broker.credentials(API, name))).toMatchObject({
        code: 'policy_denied',
        message: refused(name),
      });
    }
    expectNothingMinted(world);
  });

  test('to a component by its import: no', async () => {
    const world = await start();
    const host = startServiceHost(world.service);
    const component = await host.load('api', await readFile(inject('apiGatewayWasm')), TEST_LIMITS);
    expect(await component.call('credentials-for', ['secret-aws'])).toEqual({
      err: { tag: 'denied', val: { code: 'policy_denied', message: refused('secret-aws') } },
    });
    expectNothingMinted(world);
    expect(await component.call('credentials-for', ['models'])).toMatchObject({ ok: { tag: 'aws' } });
  });

  test.each(SECRET)('in a session that is for it: none is opened for %s', async (name) => {
    const world = await start();
    const error = await refusal(createSessionClient(world.config.brokerSocket).open(API, { grant: name }));
    expect(error).toMatchObject({ code: 'policy_denied', message: refused(name) });
  });

  test('in a session of its component: it is not among the grants, and each SDK is refused', async () => {
    const world = await start();
    const { grants, secret, get } = await openSession(world);
    expect(grants.map(({ name }) => name)).toEqual(['models']);
    const answers = [
      await get('/aws/secret-aws', { Authorization: secret }),
      await get(`/azure/token?${AZURE_VERSION}&resource=${STORAGE}`, { 'X-IDENTITY-HEADER': secret }),
      await get(`/azure/token?${AZURE_VERSION}&resource=${STORAGE}&client_id=${TENANT}`, {
        'X-IDENTITY-HEADER': secret,
      }),
      await get('/gcp/secret-gcp/subject-token', { Authorization: `Bearer ${secret}` }),
    ];
    expect(answers.map((answer) => codeOf(answer))).toEqual(Array(4).fill('policy_denied'));
    for (const { status, text } of answers) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(text).toContain('is only injected');
    }
    expectNothingMinted(world);
    expect((await get('/aws/models', { Authorization: secret })).status).toBe(200);
  });

  test.each(SECRET)('as a token file: not %s', async (name) => {
    const world = await start();
    const error = await refusal(createTokenFileClient(world.config.brokerSocket).get(API, name));
    expect(error).toMatchObject({ code: 'policy_denied', message: refused(name) });
    expectNothingMinted(world);
  });

  test.each(SECRET)('at the token endpoint: not %s, in the words for what is not there', async (name) => {
    const world = await start();
    const { token } = await world.trust.authority.mint({
      spiffeId: SpiffeId.parse(BATCH),
      audience: [world.config.issuer.url],
      ttl: 300,
    });
    const url = world.service.urls.http;
    const answer = await postForm(url, requestFields(token, { audience: name }));
    expect(refusalOf(answer)).toEqual([400, 'invalid_target', 'policy_denied']);
    const unknown = await postForm(url, requestFields(token, { audience: 'nothing' }));
    expect(answer.text.replace(name, 'X')).toBe(unknown.text.replace('nothing', 'X'));
    expectNothingMinted(world);
    expect((await postForm(url, requestFields(token, { audience: 'models' }))).status).toBe(200);
  });

  test('by the Workload API: it gives what "audiences" has, and no token for the exchange', async () => {
    const world = await start();
    const socket = await createWorkloadClient(world.config.brokerSocket).open(API);
    onTestFinished(socket.close);
    const workload = createRawWorkload(socket.endpoint);
    const fetch = (audience: string) => workload.call('FetchJWTSVID', { audience: [audience] });
    expect(await fetch('sts.amazonaws.com')).toMatchObject({ code: 7 });
    expect(await fetch('https://vault.example.org')).toMatchObject({ code: 7 });
    expectNothingMinted(world);
    expect(await fetch('held.example.org')).toHaveProperty('svids.0.svid');
  });

  test('to a program: "svidx exec" gives it nothing of it, and "svidx credentials" refuses', async () => {
    const world = await startWorld({
      policies: { 'api.yaml': POLICY.replace(/ {2}models: .*\n/, '').replace(/tokenEndpoint.*\n/, '') },
    });
    const env = await envOf(world);
    expect(Object.keys(env).filter((key) => /^(AWS|AZURE|IDENTITY|GOOGLE|VAULT|ACCESS)_/.test(key))).toEqual([]);
    expect(env).toHaveProperty('SPIFFE_ENDPOINT_SOCKET');
    const { code, stdout, stderr } = await svidx([
      'credentials',
      'secret-aws',
      '--component',
      'api',
      '--socket',
      world.config.brokerSocket,
    ]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('is only injected, never handed out');
    expectNothingMinted(world);
  });
});

describe('the host of the component has it', () => {
  test('in this process and by the private socket, and it works', async () => {
    const world = await start();
    const brokers = [world.service.broker, createBrokerClient(world.config.brokerSocket)] as const;
    const [here, there] = await Promise.all(
      brokers.map(async (broker) => asAws(await broker.injected(API, 'secret-aws'))),
    );
    expect(here?.accessKeyId).toMatch(/^ASIA/);
    expect(there?.accessKeyId).toBe(here?.accessKeyId);
    expect(there?.secretAccessKey.reveal()).toBe(here?.secretAccessKey.reveal());
    expect(world.log.audits().map(({ action, outcome }) => [action, outcome])).toEqual([
      ['identity.mint', 'ok'],
      ['credentials.exchange', 'ok'],
      ['credentials.inject', 'ok'],
      ['credentials.inject', 'ok'],
    ]);
  });

  test.each([
    ['models', 'the grant "models" has no "inject"'],
    ['nothing', 'it has no grant "nothing"'],
  ])('but not %s', async (name, reason) => {
    const world = await start();
    const client = createBrokerClient(world.config.brokerSocket);
    const error = await refusal(client.injected(API, name));
    expect([error.code, error.message]).toEqual(['policy_denied', `component "api": ${reason}`]);
    expectNothingMinted(world);
  });
});
