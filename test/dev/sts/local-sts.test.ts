import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../../fakes/clock.ts';
import { startOidcIssuer } from '../../fakes/oidc-issuer.ts';
import { ask } from '../../support/http.ts';
import { makeKey, type TestKey } from '../../support/jwk.ts';
import {
  AUDIENCE,
  type LocalSts,
  POLICY,
  ROLE_ARN,
  rolesFor,
  SUBJECT,
  startLocalSts,
} from '../../support/local-sts.ts';

let key: TestKey;

beforeAll(async () => {
  key = await makeKey('ES256', 'key');
});

interface World {
  readonly sts: LocalSts;
  readonly clock: FakeClock;
  /** The issuer without its scheme, as IAM names the provider. */
  readonly provider: string;
  token(claims?: Record<string, unknown>): Promise<string>;
  sdk(): STSClient;
}

/** An STS whose clock stands still at the real time: the SDK signs with the real one. */
async function start(options: { policies?: string[]; clientIds?: string[] } = {}): Promise<World> {
  const clock = createFakeClock(Date.now());
  const issuer = await startOidcIssuer([key.jwk]);
  const roles = await rolesFor(issuer.url, ...(options.policies ?? [POLICY]));
  const sts = await startLocalSts({
    issuer: issuer.url,
    clock,
    roles,
    ...(options.clientIds === undefined ? {} : { clientIds: options.clientIds }),
  });
  const now = Math.floor(clock.now() / 1000);
  const good = { iss: issuer.url, sub: SUBJECT, aud: [AUDIENCE], iat: now, exp: now + 86_400 };
  return {
    sts,
    clock,
    provider: issuer.url.slice('http://'.length),
    token: (claims = {}) => key.sign({ ...good, ...claims }),
    sdk() {
      const client = new STSClient({ region: 'eu-central-1', endpoint: sts.url, maxAttempts: 1 });
      onTestFinished(() => client.destroy());
      return client;
    },
  };
}

describe('AssumeRoleWithWebIdentity', () => {
  test('gives a session, in exactly the elements that AWS has', async () => {
    const { sts, clock, provider, token } = await start();
    const answer = await sts.assume({ WebIdentityToken: await token(), DurationSeconds: '900' });
    expect(answer.status).toBe(200);
    const shape = answer.xml
      .replace(/<AccessKeyId>ASIA[A-Z2-7]{16}</, '<AccessKeyId>1<')
      .replace(/<SecretAccessKey>[A-Za-z0-9+/]{40}</, '<SecretAccessKey>2<')
      .replace(/<SessionToken>[A-Za-z0-9+/]{100,}={0,2}</, '<SessionToken>3<')
      .replace(/AROA[A-Z0-9]{17}:/, 'AROA:')
      .replace(/<RequestId>[0-9a-f-]{36}</, '<RequestId>4<');
    const expiration = new Date((Math.floor(clock.now() / 1000) + 900) * 1000).toISOString().replace('.000Z', 'Z');
    expect(shape).toBe(
      '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
        '<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>1</AccessKeyId>' +
        '<SecretAccessKey>2</SecretAccessKey><SessionToken>3</SessionToken>' +
        `<Expiration>${expiration}</Expiration></Credentials>` +
        `<SubjectFromWebIdentityToken>${SUBJECT}</SubjectFromWebIdentityToken>` +
        '<AssumedRoleUser><AssumedRoleId>AROA:session</AssumedRoleId>' +
        '<Arn>arn:aws:sts::111122223333:assumed-role/models/session</Arn></AssumedRoleUser>' +
        `<Provider>arn:aws:iam::111122223333:oidc-provider/${provider}</Provider><Audience>${AUDIENCE}</Audience>` +
        '</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>4</RequestId></ResponseMetadata>' +
        '</AssumeRoleWithWebIdentityResponse>',
    );
  });

  test('is what the AWS SDK reads, and the credentials are those of the role', async () => {
    const { token, sdk, clock } = await start();
    const input = { RoleArn: ROLE_ARN, RoleSessionName: 'team=api@example.org', WebIdentityToken: await token() };
    const { Credentials, AssumedRoleUser, SubjectFromWebIdentityToken } = await sdk().send(
      new AssumeRoleWithWebIdentityCommand({ ...input, DurationSeconds: 3600 }),
    );
    expect(SubjectFromWebIdentityToken).toBe(SUBJECT);
    expect(Credentials?.Expiration?.getTime()).toBe((Math.floor(clock.now() / 1000) + 3600) * 1000);
    const credentials = {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    };
    const client = sdk();
    client.config.credentials = async () => credentials;
    const caller = await client.send(new GetCallerIdentityCommand({}));
    expect(caller).toMatchObject({
      Account: '111122223333',
      Arn: 'arn:aws:sts::111122223333:assumed-role/models/team=api@example.org',
      UserId: AssumedRoleUser?.AssumedRoleId,
    });
  });

  test('lasts an hour where nothing is said', async () => {
    const { sts, clock, token } = await start();
    const answer = await sts.assume({ WebIdentityToken: await token() });
    const seconds = (Date.parse(answer.element('Expiration') ?? '') - Math.floor(clock.now() / 1000) * 1000) / 1000;
    expect(seconds).toBe(3600);
  });

  test('gives everybody other secrets', async () => {
    const { sts, token } = await start();
    const WebIdentityToken = await token();
    const answers = await Promise.all(Array.from({ length: 5 }, () => sts.assume({ WebIdentityToken })));
    for (const name of ['AccessKeyId', 'SecretAccessKey', 'SessionToken', 'RequestId']) {
      expect(new Set(answers.map((answer) => answer.element(name))).size).toBe(5);
    }
  });
});

describe('whom the trust policy keeps out', () => {
  const denied = {
    status: 403,
    code: 'AccessDenied',
    message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
  };

  async function outcome(world: World, claims: Record<string, unknown>, RoleArn = ROLE_ARN) {
    const answer = await world.sts.assume({ WebIdentityToken: await world.token(claims), RoleArn });
    return { status: answer.status, code: answer.element('Code'), message: answer.element('Message') };
  }

  test.each([
    'spiffe://example.org/team/other',
    'spiffe://example.org/team/api2',
    'spiffe://example.org/team/ap',
    'spiffe://example.org/team/API',
    'spiffe://example.org/team/api/',
    'spiffe://other.example.org/team/api',
    '*',
    '',
  ])('the subject %j', async (sub) => {
    expect(await outcome(await start(), { sub })).toEqual(denied);
  });

  test('an audience that the provider takes, but not this role', async () => {
    const world = await start({ clientIds: [AUDIENCE, 'other'] });
    expect(await outcome(world, { aud: ['other'] })).toEqual(denied);
    expect(await outcome(world, {})).toMatchObject({ status: 200 });
  });

  test.each([
    'arn:aws:iam::111122223333:role/unknown',
    'arn:aws:iam::444455556666:role/team/models',
    ROLE_ARN.toUpperCase(),
    'x'.repeat(20),
  ])('everybody from a role that is not there (%s)', async (arn) => {
    expect(await outcome(await start(), {}, arn)).toEqual(denied);
  });

  test('a component from the role of another; and both of a shared role get in', async () => {
    const second = POLICY.replace('component: api', 'component: b').replace(SUBJECT, 'spiffe://example.org/b');
    const shared = await start({ policies: [POLICY, second] });
    expect(await outcome(shared, {})).toMatchObject({ status: 200 });
    expect(await outcome(shared, { sub: 'spiffe://example.org/b' })).toMatchObject({ status: 200 });
    expect(await outcome(shared, { sub: 'spiffe://example.org/c' })).toEqual(denied);
  });
});

describe('parameters', () => {
  const refused: readonly (readonly [string, Record<string, string | undefined>, string | RegExp])[] = [
    ['no role', { RoleArn: undefined }, /^Value at &#39;RoleArn&#39;/],
    ['a role that is too short', { RoleArn: 'a'.repeat(19) }, /^Value at &#39;RoleArn&#39;/],
    ['a role that is too long', { RoleArn: 'a'.repeat(2049) }, /^Value at &#39;RoleArn&#39;/],
    ['no session name', { RoleSessionName: undefined }, /^Value at &#39;RoleSessionName&#39;/],
    ['a session name of one character', { RoleSessionName: 'a' }, /^Value at &#39;RoleSessionName&#39;/],
    ['a session name of 65 characters', { RoleSessionName: 'a'.repeat(65) }, /^Value at &#39;RoleSessionName&#39;/],
    ['a session name with a slash', { RoleSessionName: 'team/api' }, /^Value at &#39;RoleSessionName&#39;/],
    ['a session name with a colon', { RoleSessionName: 'spiffe:api' }, /^Value at &#39;RoleSessionName&#39;/],
    ['a session name with a letter beyond ASCII', { RoleSessionName: 'äpi' }, /^Value at &#39;RoleSessionName&#39;/],
    ['a session name of two lines', { RoleSessionName: 'api\n' }, /^Value at &#39;RoleSessionName&#39;/],
    ['no token', { WebIdentityToken: undefined }, /^Value at &#39;WebIdentityToken&#39;/],
    ['a token that is too short', { WebIdentityToken: 'abc' }, /^Value at &#39;WebIdentityToken&#39;/],
    ['a token that is too long', { WebIdentityToken: 'a'.repeat(20_001) }, /^Value at &#39;WebIdentityToken&#39;/],
    ...['899', '43201', '0', '-900', '', 'an hour', '900.5', '9e2', '0x384', ' 900', '900s', '1'.repeat(400)].map(
      (text) =>
        [
          `a duration of ${JSON.stringify(text.slice(0, 9))}`,
          { DurationSeconds: text },
          'durationSeconds must be an integer from 900 to 43200',
        ] as const,
    ),
    [
      'a duration beyond what the role allows',
      { DurationSeconds: '7201' },
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    ],
  ];

  test.each(refused)('%s is a ValidationError', async (_, params, message) => {
    const { sts, token } = await start();
    const answer = await sts.assume({ WebIdentityToken: await token(), ...params });
    expect([answer.status, answer.element('Code'), answer.element('Type')]).toEqual([400, 'ValidationError', 'Sender']);
    expect(answer.element('Message')).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  test('at their limits they are taken', async () => {
    const { sts, token } = await start();
    for (const params of [
      { DurationSeconds: '900' },
      { DurationSeconds: '7200' },
      { RoleSessionName: 'ab' },
      { RoleSessionName: 'aZ09_+=,.@-'.padEnd(64, 'x') },
    ]) {
      expect((await sts.assume({ WebIdentityToken: await token(), ...params })).status).toBe(200);
    }
  });

  test('of a session name, exactly the characters that AWS allows', async () => {
    const { sts } = await start();
    for (let code = 0; code < 256; code += 1) {
      const RoleSessionName = `x${String.fromCharCode(code)}`;
      // With a token that is none the answer tells which of the two was refused.
      const answer = await sts.assume({ WebIdentityToken: 'none', RoleSessionName });
      const allowed = /[A-Za-z0-9_+=,.@-]/.test(RoleSessionName.slice(1));
      expect([code, answer.element('Code')]).toEqual([code, allowed ? 'InvalidIdentityToken' : 'ValidationError']);
    }
  });

  test('that come twice are refused', async () => {
    const { sts, token } = await start();
    const form = new URLSearchParams({ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn: ROLE_ARN });
    form.append('RoleSessionName', 'one');
    form.append('RoleSessionName', 'two');
    form.append('WebIdentityToken', await token());
    const answer = await ask(sts.url, { method: 'POST', path: '/', body: form.toString() });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('<Code>ValidationError</Code>');
  });
});

describe('what is no request for STS', () => {
  test.each([
    ['an unknown action', { Action: 'AssumeRoleWithSAML', Version: '2011-06-15' }],
    ['no action', { Version: '2011-06-15' }],
    ['another version', { Action: 'GetCallerIdentity', Version: '2010-05-08' }],
    ['no version', { Action: 'GetCallerIdentity' }],
    ['an action in another case', { Action: 'getCallerIdentity', Version: '2011-06-15' }],
    ['a name that every object has', { Action: 'constructor', Version: '2011-06-15' }],
  ])('%s', async (_, params) => {
    const { sts } = await start();
    const answer = await sts.post(params);
    expect([answer.status, answer.element('Code')]).toEqual([400, 'InvalidAction']);
  });

  test.each([
    ['GET', '/'],
    ['PUT', '/'],
    ['POST', '/other'],
    ['POST', '/?Action=GetCallerIdentity&Version=2011-06-15'],
  ])('%s %s', async (method, path) => {
    const { sts } = await start();
    const answer = await ask(sts.url, { method, path });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('<Code>InvalidAction</Code>');
    expect(answer.headers).toMatchObject({ 'content-type': 'text/xml' });
    expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('a body of more than 64 KiB, which is answered all the same', async () => {
    const { sts } = await start();
    const answer = await ask(sts.url, { method: 'POST', path: '/', body: 'a'.repeat(1_000_000) });
    expect(answer.status).toBe(413);
    expect(answer.text).toContain('<Code>RequestEntityTooLarge</Code>');
  });

  test('what is quoted in a message cannot be taken for markup', async () => {
    const { sts } = await start();
    const answer = await sts.post({ Action: '</Message><Code>x</Code>&"\'', Version: '2011-06-15' });
    expect(answer.element('Code')).toBe('InvalidAction');
    expect(answer.xml).not.toContain('<Code>x</Code>');
    expect(answer.xml).toContain('&#60;/Message&#62;&#60;Code&#62;x&#60;/Code&#62;&#38;&#34;&#39;');
  });
});

test('the SDK names the errors as it names those of AWS', async () => {
  const world = await start();
  const send = async (WebIdentityToken: string, RoleArn = ROLE_ARN) =>
    world
      .sdk()
      .send(new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName: 'api', WebIdentityToken }))
      .catch((error: unknown) => (error instanceof Error ? error.name : error));
  expect(await send('none')).toBe('InvalidIdentityTokenException');
  expect(await send(await world.token({ exp: 1 }))).toBe('ExpiredTokenException');
  expect(await send(await world.token({ sub: 'spiffe://example.org/x' }))).toBe('AccessDenied');
  expect(await send(await world.token(), 'too short')).toBe('ValidationError');
});

test('nothing secret is logged, and nothing at all of what is expected', async () => {
  const { sts, token } = await start();
  await sts.assume({ WebIdentityToken: await token() });
  await sts.assume({ WebIdentityToken: 'none' });
  expect(sts.log.lines).toEqual([]);
});
