import { createHash } from 'node:crypto';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, test } from 'vitest';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { entry } from '../fakes/trust-domain.ts';
import { ask } from '../support/http.ts';
import {
  discoverServer,
  exchange,
  JWT,
  oauthRefusal,
  postForm,
  refusalOf,
  requestFields,
} from '../support/token-endpoint.ts';
import { LEDGER_POLICY, startWorld, type World } from '../support/world.ts';

const BATCH = 'spiffe://example.org/batch';
const AWS_CREDENTIALS = 'urn:svid-exchange:token-type:aws-credentials';

/** A component whose grants another workload may have, and it itself may not; and one with a grant of its own. */
const POLICIES = {
  'api.yaml': `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
grants:
  models:
    aws: { roleArn: arn:aws:iam::111122223333:role/models, region: us-east-1, duration: 15m }
tokenEndpoint:
  subjects: [${BATCH}]
`,
  'reports.yaml': `
component: reports
spiffeId: spiffe://example.org/team/reports
selectors: [wasmcloud:component:reports]
grants:
  archive: { aws: { roleArn: arn:aws:iam::111122223333:role/archive, region: us-east-1 } }
tokenEndpoint: { subjects: [spiffe://example.org/team/reports] }
`,
  'ledger.yaml': LEDGER_POLICY,
};

async function mint({ trust, config }: World, subject = BATCH, ...audience: string[]): Promise<string> {
  const [first = config.issuer.url, ...rest] = audience;
  const { token } = await trust.authority.mint({
    spiffeId: SpiffeId.parse(subject),
    audience: [first, ...rest],
    ttl: 300,
  });
  return token;
}

describe.each(['', '/tenants/one'])('openid-client, at an issuer with the path %j', (issuerPath) => {
  const start = () => startWorld({ policies: POLICIES, tokenEndpoint: {}, issuerPath });

  test('finds the endpoint by the issuer alone, and exchanges a JWT-SVID for AWS credentials that work', async () => {
    const world = await start();
    const server = await discoverServer(world.config.issuer.url);
    const answer = await exchange(server, await mint(world), 'models');
    expect(answer).toEqual({
      access_token: expect.any(String),
      issued_token_type: AWS_CREDENTIALS,
      token_type: 'n_a',
      expires_in: expect.any(Number),
    });
    expect(answer.expires_in).toBeGreaterThan(890);
    expect(answer.expires_in).toBeLessThanOrEqual(900);

    const { accessKeyId, secretAccessKey, sessionToken, region } = JSON.parse(answer.access_token);
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const sts = new STSClient({ region, endpoint: world.trust.stsUrl, credentials });
    expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: 'arn:aws:sts::111122223333:assumed-role/models/team=api@example.org',
    });
  });

  test('reads metadata that are the ones of RFC 8414', async () => {
    const world = await start();
    const { url } = world.config.issuer;
    const path = `/.well-known/oauth-authorization-server${issuerPath}`;
    const { status, headers, text } = await ask(world.service.urls.http, { path });
    expect([status, JSON.parse(text)]).toEqual([
      200,
      {
        issuer: url,
        token_endpoint: `${url}/token`,
        jwks_uri: `${url}/keys`,
        response_types_supported: ['none'],
        grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
        token_endpoint_auth_methods_supported: ['none'],
      },
    ]);
    expect(headers).toMatchObject({ 'content-type': 'application/json', etag: expect.any(String) });
    const discovered = await discoverServer(url);
    expect(discovered.serverMetadata()).toMatchObject({ token_endpoint: `${url}/token` });
  });
});

describe('who may have what', () => {
  test('a workload that a policy lists has that grant, and its refusals are told apart', async () => {
    const world = await startWorld({ policies: POLICIES, tokenEndpoint: {} });
    const server = await discoverServer(world.config.issuer.url);
    const batch = await mint(world);
    const asked = (token: string, audience: string, others = {}) =>
      oauthRefusal(exchange(server, token, audience, others));

    expect(await exchange(server, batch, 'models')).toMatchObject({ issued_token_type: AWS_CREDENTIALS });
    const events = world.log.audits().length;

    const denied = [400, 'invalid_target', 'policy_denied'];
    expect(await asked(batch, 'archive')).toEqual(denied);
    expect(await asked(batch, 'nothing')).toEqual(denied);
    expect(await asked(await mint(world, 'spiffe://example.org/team/api'), 'models')).toEqual(denied);
    expect(await asked(await mint(world, 'spiffe://example.org/team/ledger'), 'models')).toEqual(denied);
    expect(await asked(await mint(world, BATCH, 'sts.amazonaws.com'), 'models')).toEqual([
      400,
      'invalid_request',
      'token_audience_mismatch',
    ]);
    const forOthersToo = await mint(world, BATCH, world.config.issuer.url, 'sts.amazonaws.com');
    expect(await asked(forOthersToo, 'models')).toEqual([400, 'invalid_request', 'token_audience_mismatch']);
    expect(await asked(batch, 'models', { requested_token_type: JWT })).toEqual([
      400,
      'invalid_request',
      'request_invalid',
    ]);

    // Nothing was asked upstream for any of them, and each is in the log by its code.
    const audits = world.log.audits().slice(events);
    expect(audits.map(({ action, code }) => [action, code])).toEqual([
      ...Array(4).fill(['credentials.redeem', 'policy_denied']),
      ...Array(2).fill(['credentials.redeem', 'token_audience_mismatch']),
    ]);
    expect(await exchange(server, await mint(world, 'spiffe://example.org/team/reports'), 'archive')).toMatchObject({
      token_type: 'n_a',
    });
  });

  test('the audit says who proved to be whom, by which token, and in whose name', async () => {
    const world = await startWorld({ policies: POLICIES, tokenEndpoint: {} });
    const token = await mint(world);
    await exchange(await discoverServer(world.config.issuer.url), token, 'models');
    const audits = world.log.audits();
    expect(audits.map(({ action, outcome }) => [action, outcome])).toEqual([
      ['identity.mint', 'ok'],
      ['credentials.exchange', 'ok'],
      ['credentials.request', 'ok'],
      ['credentials.redeem', 'ok'],
    ]);
    expect(audits.at(-1)).toEqual({
      action: 'credentials.redeem',
      component: 'api',
      spiffeId: 'spiffe://example.org/team/api',
      grant: 'models',
      subject: BATCH,
      subjectTokenSha256: createHash('sha256').update(token).digest('hex'),
      outcome: 'ok',
      durationMs: expect.any(Number),
    });
    // What went upstream is the component's own identity; the subject token stayed here.
    expect(audits[1]?.['tokenSha256']).not.toBe(audits.at(-1)?.['subjectTokenSha256']);
    expect(audits[0]).toMatchObject({ spiffeId: 'spiffe://example.org/team/api', audience: ['sts.amazonaws.com'] });
  });

  test('no spelling reaches what another was granted', async () => {
    const world = await startWorld({ policies: POLICIES, tokenEndpoint: {} });
    const { http } = world.service.urls;
    const token = await mint(world);
    expect((await postForm(http, requestFields(token))).status).toBe(200);

    const grants = [
      'archive',
      'Archive',
      ' archive',
      'archive ',
      'archive\0',
      'reports/archive',
      'reports:archive',
      '../reports/archive',
      'models,archive',
      'models archive',
      'models\narchive',
      'models&audience=archive',
      'аrchive',
      'archive\u200b',
      'ａrchive',
      '*',
      '__proto__',
      'toString',
    ];
    for (const audience of grants) {
      const answer = await postForm(http, requestFields(token, { audience }));
      expect([audience, refusalOf(answer)]).toEqual([audience, [400, 'invalid_target', 'policy_denied']]);
    }

    const good = new URLSearchParams(requestFields(token)).toString();
    const bodies: [string, number | string][] = [
      [`${good}&audience=archive`, 'invalid_target'],
      [`audience=archive&${good}`, 'invalid_target'],
      [`${good}&resource=archive`, 'invalid_target'],
      [`${good}&resource=urn%3Agrant%3Aarchive`, 'invalid_target'],
      [`${good}&%61udience=archive`, 'invalid_target'],
      [`${good}&scope=archive`, 'invalid_scope'],
      [`${good}&subject_token=${token}`, 'invalid_request'],
      [`${good}&actor_token=${token}`, 'invalid_request'],
      [`${good}&actor_token_type=${JWT}`, 'invalid_request'],
      // Not known here, and so ignored, whatever they say.
      [`${good}&Audience=archive`, 200],
      [`${good}&audience%00=archive`, 200],
      [`${good}&audience[]=archive`, 200],
      [`${good}&grant=archive&component=reports&client_id=reports`, 200],
      [`${good}&sub=spiffe://example.org/team/reports`, 200],
      // As if left out.
      [`${good}&audience=`, 200],
      [`${good}&scope=`, 200],
    ];
    for (const [body, expected] of bodies) {
      const { status, text } = await postForm(http, body);
      const { error, access_token } = JSON.parse(text);
      expect([body.replace(token, 'TOKEN'), error ?? status]).toEqual([body.replace(token, 'TOKEN'), expected]);
      if (status === 200) expect(JSON.parse(access_token).accessKeyId).toMatch(/^ASIA/);
    }
    const headers = {
      'X-Forwarded-User': 'spiffe://example.org/team/reports',
      'X-Component': 'reports',
      Cookie: 'component=reports',
    };
    const answer = await postForm(http, requestFields(token, { audience: 'archive' }), { headers });
    expect(refusalOf(answer)[1]).toBe('invalid_target');
    // Whatever was asked above, nothing of the other component was ever asked for upstream.
    expect(world.log.audits().filter(({ component }) => component === 'reports')).toEqual([]);
  });
});

describe('trouble behind the endpoint', () => {
  test('a component without an identity is an error of the server, and what SPIRE said stays here', async () => {
    const world = await startWorld({
      policies: POLICIES,
      tokenEndpoint: {},
      entries: [entry('spiffe://example.org/other', 'wasmcloud:component:other')],
    });
    const { status, headers, text } = await postForm(world.service.urls.http, requestFields(await mint(world)));
    expect([status, JSON.parse(text)]).toEqual([
      500,
      {
        error: 'server_error',
        error_description:
          'identity_not_found: SPIRE has no registration entry for the selectors of this component, or it has not reached the agent.',
      },
    ]);
    expect(headers['cache-control']).toBe('no-store');
  });

  test('a target that cannot be reached is temporarily unavailable', async () => {
    const world = await startWorld({
      policies: POLICIES,
      tokenEndpoint: {},
      config: { stsEndpoint: 'http://127.0.0.1:1' },
    });
    const answer = await postForm(world.service.urls.http, requestFields(await mint(world)));
    expect(refusalOf(answer)).toEqual([503, 'temporarily_unavailable', 'exchange_unavailable']);
    expect(answer.headers['retry-after']).toBe('1');
  });
});

describe('without it in the configuration', () => {
  test('there is no endpoint, and nothing that leads to one', async () => {
    const world = await startWorld({ policies: POLICIES });
    const { http } = world.service.urls;
    expect((await ask(http, { path: '/.well-known/oauth-authorization-server' })).status).toBe(404);
    expect((await ask(http, { path: '/token' })).status).toBe(404);
    const answer = await postForm(http, requestFields(await mint(world)));
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([413, 'request_too_large']);
    expect(world.log.audits()).toEqual([]);
  });
});
