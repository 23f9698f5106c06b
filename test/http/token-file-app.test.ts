import { decodeJwt } from 'jose';
import { describe, expect, test } from 'vitest';
import { createTokenFileClient } from '../../src/http/token-file-client.ts';
import { refusal } from '../support/errors.ts';
import { ask } from '../support/http.ts';
import { startWorld, type World } from '../support/world.ts';

const PATH = '/v1/token-file';

const POLICY = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
audiences: [sts.amazonaws.com]
grants:
  models: { aws: { roleArn: arn:aws:iam::111122223333:role/models, region: us-east-1 } }
  others: { aws: { roleArn: arn:aws:iam::111122223333:role/others, region: us-east-1 } }
files: [models]
`;
const OTHER = POLICY.replaceAll('api', 'ledger').replace('files: [models]', '');

const start = (): Promise<World> => startWorld({ policies: { 'api.yaml': POLICY, 'ledger.yaml': OTHER } });

function post(world: World, body: unknown) {
  return ask(`unix:${world.config.brokerSocket}`, {
    method: 'POST',
    path: PATH,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

describe('POST /v1/token-file', () => {
  test('gives the JWT-SVID of a grant that the policy has in a file, and what goes with it', async () => {
    const world = await start();
    const { token, expiresAt, variables } = await createTokenFileClient(world.config.brokerSocket).get(
      { component: 'api' },
      'models',
    );
    expect(decodeJwt(token.reveal())).toMatchObject({
      sub: 'spiffe://example.org/team/api',
      aud: ['sts.amazonaws.com'],
      exp: expiresAt / 1000,
    });
    expect(variables).toEqual({
      file: 'AWS_WEB_IDENTITY_TOKEN_FILE',
      others: {
        AWS_ROLE_ARN: 'arn:aws:iam::111122223333:role/models',
        AWS_ROLE_SESSION_NAME: 'team=api@example.org',
        AWS_REGION: 'us-east-1',
        AWS_DEFAULT_REGION: 'us-east-1',
      },
    });
    expect(world.log.audits().map(({ action, outcome }) => [action, outcome])).toEqual([
      ['identity.mint', 'ok'],
      ['identity.request', 'ok'],
      ['token_file.request', 'ok'],
    ]);
  });

  test.each([
    ['a grant that is not in a file', 'api', 'others', 'its policy does not list the grant "others" under "files"'],
    ["another component's", 'ledger', 'models', 'its policy does not list the grant "models" under "files"'],
    ['a grant that is not there', 'api', 'Models', 'it has no grant "Models"'],
    ['a component without a policy', 'nobody', 'models', 'no policy names it'],
  ])('denies %s, and asks nothing upstream', async (_, component, grant, reason) => {
    const world = await start();
    expect(await refusal(createTokenFileClient(world.config.brokerSocket).get({ component }, grant))).toMatchObject({
      code: 'policy_denied',
      message: `component "${component}": ${reason}`,
    });
    expect(world.log.audits().map(({ action, outcome }) => [action, outcome])).toEqual([
      ['token_file.request', 'denied'],
    ]);
  });

  test.each([
    ['no grant', { component: 'api' }],
    ['no component', { grant: 'models' }],
    ['a key too many', { component: 'api', grant: 'models', audience: ['x'] }],
    ['a list', ['api', 'models']],
  ])('refuses %s', async (_, body) => {
    const answer = await post(await start(), body);
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([400, 'request_invalid']);
  });

  test('answers POST alone', async () => {
    const world = await start();
    const answer = await ask(`unix:${world.config.brokerSocket}`, { path: PATH });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
  });
});
