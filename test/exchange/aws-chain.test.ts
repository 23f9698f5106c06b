import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { AwsGrant } from '../../src/credentials/grants/aws.ts';
import { createAwsExchanger } from '../../src/exchange/aws.ts';
import { parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { credentialsXml, STS_CREDENTIALS, type StsAnswer, startScriptedSts } from '../fakes/scripted-sts.ts';
import { asAws } from '../support/credentials.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { MODELS_GRANT, subjectToken } from '../support/exchange.ts';
import { startWorld } from '../support/world.ts';

const SECOND = 'arn:aws:iam::444455556666:role/data/reader';

const CHAINED: AwsGrant = {
  ...MODELS_GRANT,
  target: SECOND,
  assumeRole: { roleArn: SECOND, durationSeconds: 1800, externalId: 'a-b:c' },
};

const CHAINED_POLICY = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
grants:
  models:
    aws:
      roleArn: arn:aws:iam::111122223333:role/models
      region: us-east-1
      duration: 15m
      assumeRole: { roleArn: '${SECOND}', duration: 30m, externalId: 'a-b:c' }
  plain:
    aws:
      roleArn: arn:aws:iam::111122223333:role/models
      region: us-east-1
      assumeRole: { roleArn: 'arn:aws:iam::111122223333:role/other' }
`;

describe('a grant with a second role', () => {
  test('gives the credentials of the second, which work, through the whole service', async () => {
    const world = await startWorld({ policies: { 'api.yaml': CHAINED_POLICY } });
    const credentials = asAws(await world.service.broker.credentials({ component: 'api' }, 'models'));
    expect(await whoIs(credentials, world.trust.stsUrl)).toBe(
      'arn:aws:sts::444455556666:assumed-role/reader/team=api@example.org',
    );
    expect(credentials.expiresAt - Date.now()).toBeGreaterThan(1_790_000);
    expect(credentials.expiresAt - Date.now()).toBeLessThanOrEqual(1_800_000);
    expect(world.log.lines.join('\n')).toContain(`"target":"${SECOND}"`);
  });

  test('needs no external ID where it names none', async () => {
    const world = await startWorld({ policies: { 'api.yaml': CHAINED_POLICY } });
    const credentials = asAws(await world.service.broker.credentials({ component: 'api' }, 'plain'));
    expect(await whoIs(credentials, world.trust.stsUrl)).toContain(':assumed-role/other/');
  });

  test.each([
    ['another external ID', { externalId: 'guessed' }, 'exchange_denied'],
    ['no external ID', { externalId: undefined }, 'exchange_denied'],
    ['a role that does not exist', { roleArn: 'arn:aws:iam::444455556666:role/nobody' }, 'exchange_denied'],
    ['more than an hour', { durationSeconds: 3601 }, 'exchange_request_rejected'],
  ])('%s is refused, and says that it is the second', async (_, changes, code) => {
    const world = await startWorld({ policies: { 'api.yaml': CHAINED_POLICY } });
    const { token } = await world.trust.authority.mint({
      spiffeId: SpiffeId.parse('spiffe://example.org/team/api'),
      audience: ['sts.amazonaws.com'],
      ttl: 300,
    });
    const exchanger = createAwsExchanger({ clock: systemClock, random: () => 0.5, endpoint: world.trust.stsUrl });
    const grant = { ...CHAINED, assumeRole: { ...secondOf(CHAINED), ...changes } };
    const error = await refusal(exchanger.exchange(parseJwtSvidUnverified(token), grant, { signal: unaborted() }));
    expect(error.code).toBe(code);
    expect(error.message).toContain('second role');
    expect(await exchanger.exchange(parseJwtSvidUnverified(token), CHAINED, { signal: unaborted() })).toMatchObject({
      kind: 'aws',
    });
  });

  test('sends the second request signed by the first credentials, the session policies with it alone', async () => {
    const grant = { ...CHAINED, sessionPolicy: '{"Version":"2012-10-17"}', policyArns: ['arn:aws:iam::aws:policy/P'] };
    const { first, second, token } = await requestsOf(grant);
    expect([...first.keys()].toSorted()).toEqual([
      'Action',
      'DurationSeconds',
      'RoleArn',
      'RoleSessionName',
      'Version',
      'WebIdentityToken',
    ]);
    expect(Object.fromEntries(second.params)).toEqual({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: SECOND,
      RoleSessionName: 'team=api@example.org',
      DurationSeconds: '1800',
      ExternalId: 'a-b:c',
      Policy: grant.sessionPolicy,
      'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/P',
    });
    expect(second.headers['authorization']).toContain(`Credential=${STS_CREDENTIALS.AccessKeyId}/`);
    expect(second.headers['x-amz-security-token']).toBe(STS_CREDENTIALS.SessionToken);
    expect(JSON.stringify(second)).not.toContain(token);
  });

  test.each([
    ['refused', { status: 403, body: errorXml('AccessDenied') }, 'exchange_denied', 2],
    [
      'with its credentials refused',
      { status: 403, body: errorXml('InvalidClientTokenId') },
      'exchange_token_rejected',
      2,
    ],
    ['failing', { status: 500, body: errorXml('InternalFailure') }, 'exchange_unavailable', 4],
    ['throttling', { status: 400, body: errorXml('Throttling') }, 'exchange_throttled', 4],
  ] as const)('the second step %s is reported, the first is not done again', async (_, answer, code, requests) => {
    const sts = await startScriptedSts();
    sts.onRequest = ({ body }): StsAnswer =>
      body.includes('AssumeRoleWithWebIdentity') ? { status: 200, body: credentialsXml() } : answer;
    const waits = { now: systemClock.now, after: (_ms: number, run: () => void) => systemClock.after(0, run) };
    const exchanger = createAwsExchanger({ clock: waits, random: () => 0.5, endpoint: sts.url });
    const error = await refusal(exchanger.exchange(await subjectToken(), CHAINED, { signal: unaborted() }));
    expect(error.code).toBe(code);
    expect(sts.requests.all).toHaveLength(requests);
    const said = JSON.stringify([error.message, error.detail]);
    expect(said).not.toContain(STS_CREDENTIALS.SecretAccessKey);
    expect(said).not.toContain(STS_CREDENTIALS.SessionToken);
  });
});

describe('session policies', () => {
  test('go with the only role, where there is no second', async () => {
    const { first } = await requestsOf({
      ...MODELS_GRANT,
      sessionPolicy: '{"Version":"2012-10-17","Statement":[]}',
      policyArns: ['arn:aws:iam::aws:policy/A', 'arn:aws:iam::111122223333:policy/team/B'],
    });
    expect(first.get('Policy')).toBe('{"Version":"2012-10-17","Statement":[]}');
    expect(first.get('PolicyArns.member.1.arn')).toBe('arn:aws:iam::aws:policy/A');
    expect(first.get('PolicyArns.member.2.arn')).toBe('arn:aws:iam::111122223333:policy/team/B');
  });

  test.each([
    ['a policy that is no policy', { sessionPolicy: '{"a":1}' }],
    ['eleven managed policies', { policyArns: Array.from({ length: 11 }, (_, n) => `arn:aws:iam::aws:policy/P${n}`) }],
    ['more text than STS takes', { sessionPolicy: JSON.stringify({ Version: 'v', Statement: 'x'.repeat(2100) }) }],
  ])('%s is refused by STS as a bad request', async (_, changes) => {
    const world = await startWorld();
    const { token } = await world.trust.authority.mint({
      spiffeId: SpiffeId.parse('spiffe://example.org/team/api'),
      audience: ['sts.amazonaws.com'],
      ttl: 300,
    });
    const exchanger = createAwsExchanger({ clock: systemClock, random: () => 0.5, endpoint: world.trust.stsUrl });
    const exchange = exchanger.exchange(
      parseJwtSvidUnverified(token),
      { ...MODELS_GRANT, ...changes },
      { signal: unaborted() },
    );
    expect((await refusal(exchange)).code).toBe('exchange_request_rejected');
  });
});

function secondOf(grant: AwsGrant) {
  if (grant.assumeRole === undefined) throw new Error('expected a second role');
  return grant.assumeRole;
}

function errorXml(code: string): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>`;
}

/** What one exchange sends to an STS that says yes. */
async function requestsOf(grant: AwsGrant) {
  const sts = await startScriptedSts();
  sts.onRequest = ({ body }) => ({
    status: 200,
    body: credentialsXml().replaceAll(
      'AssumeRoleWithWebIdentity',
      new URLSearchParams(body).get('Action') ?? 'AssumeRoleWithWebIdentity',
    ),
  });
  const exchanger = createAwsExchanger({ clock: systemClock, random: () => 0.5, endpoint: sts.url });
  const svid = await subjectToken();
  await exchanger.exchange(svid, grant, { signal: unaborted() });
  const [first, second] = sts.requests.all;
  return {
    first: new URLSearchParams(first?.body),
    second: { params: new URLSearchParams(second?.body), headers: second?.headers ?? {} },
    token: svid.token.reveal(),
  };
}

async function whoIs(credentials: ReturnType<typeof asAws>, endpoint: string): Promise<string | undefined> {
  const sts = new STSClient({
    region: 'us-east-1',
    endpoint,
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey.reveal(),
      sessionToken: credentials.sessionToken.reveal(),
    },
  });
  return (await sts.send(new GetCallerIdentityCommand({}))).Arn;
}
