import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeFile } from 'node:fs/promises';
import { ClientRequest } from 'node:http';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { AwsGrant } from '../../src/credentials/grants/aws.ts';
import { createAwsExchanger } from '../../src/exchange/aws.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { credentialsXml, type ScriptedSts, STS_CREDENTIALS, startScriptedSts } from '../fakes/scripted-sts.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { MODELS_GRANT, subjectToken } from '../support/exchange.ts';
import { tempFolder } from '../support/temp.ts';

function connect(endpoint: string | undefined) {
  return createAwsExchanger({ clock: createFakeClock(), random: () => 0.5, endpoint });
}

async function startGoodSts(): Promise<ScriptedSts> {
  const sts = await startScriptedSts();
  sts.onRequest = () => ({ status: 200, body: credentialsXml() });
  return sts;
}

/** What an exchange sends: the one request of a good one. */
async function requestOf(spiffeId?: string, grant: AwsGrant = MODELS_GRANT) {
  const sts = await startGoodSts();
  const svid = await subjectToken(spiffeId);
  await connect(sts.url).exchange(svid, grant, { signal: unaborted() });
  expect(sts.requests.all).toHaveLength(1);
  return { request: await sts.requests.next(), token: svid.token.reveal() };
}

describe('the request', () => {
  test('is a POST of a form with exactly the parameters of AssumeRoleWithWebIdentity', async () => {
    const { request, token } = await requestOf();
    expect(request).toMatchObject({ method: 'POST', url: '/' });
    expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect([...new URLSearchParams(request.body)].toSorted()).toEqual([
      ['Action', 'AssumeRoleWithWebIdentity'],
      ['DurationSeconds', '900'],
      ['RoleArn', 'arn:aws:iam::111122223333:role/models'],
      ['RoleSessionName', 'team=api@example.org'],
      ['Version', '2011-06-15'],
      ['WebIdentityToken', token],
    ]);
  });

  test('carries what the grant says, and the name of the identity', async () => {
    const grant = { ...MODELS_GRANT, roleArn: 'arn:aws:iam::444455556666:role/path/x+=,.@-_', durationSeconds: 43_200 };
    const { request } = await requestOf(`spiffe://example.org/${'x'.repeat(100)}`, grant);
    const params = new URLSearchParams(request.body);
    expect(params.get('RoleArn')).toBe(grant.roleArn);
    expect(params.get('DurationSeconds')).toBe('43200');
    expect(params.get('RoleSessionName')).toMatch(/^x{29}@example\.org\+[\w-]{22}$/);
  });

  test('is not signed, and has the token in its body alone', async () => {
    const { request, token } = await requestOf();
    const elsewhere = JSON.stringify([request.url, request.headers]);
    expect(elsewhere).not.toMatch(/authorization|x-amz-security-token|x-amz-date|x-amz-content|signature/i);
    for (const part of token.split('.')) expect(elsewhere).not.toContain(part);
    expect(request.body.split(token)).toHaveLength(2);
  });

  test('is made once for each exchange, over one client for each region', async () => {
    const sts = await startGoodSts();
    const svid = await subjectToken();
    const exchanger = connect(sts.url);
    const grants = ['us-east-1', 'eu-central-1', 'us-east-1'].map((region) => ({ ...MODELS_GRANT, region }));
    const all = await Promise.all(grants.map((grant) => exchanger.exchange(svid, grant, { signal: unaborted() })));
    expect(all.map(({ region }) => region)).toEqual(['us-east-1', 'eu-central-1', 'us-east-1']);
    expect(sts.requests.all).toHaveLength(3);
  });
});

describe('the credentials', () => {
  test('are the ones that STS gave, with the region of the grant', async () => {
    const sts = await startGoodSts();
    const credentials = await connect(sts.url).exchange(await subjectToken(), MODELS_GRANT, { signal: unaborted() });
    expect(credentials).toMatchObject({
      kind: 'aws',
      accessKeyId: STS_CREDENTIALS.AccessKeyId,
      expiresAt: Date.parse(STS_CREDENTIALS.Expiration),
      region: 'us-east-1',
    });
    expect(credentials.secretAccessKey.reveal()).toBe(STS_CREDENTIALS.SecretAccessKey);
    expect(credentials.sessionToken.reveal()).toBe(STS_CREDENTIALS.SessionToken);
    expect(Object.isFrozen(credentials)).toBe(true);
    expect(JSON.stringify(credentials)).not.toMatch(/secret\/access|session\/token/);
  });
});

describe("the host's own AWS configuration", () => {
  const key = { AWS_ACCESS_KEY_ID: 'AKIAHOSTHOSTHOST2222', AWS_SECRET_ACCESS_KEY: 'host', AWS_SESSION_TOKEN: 'host' };
  /** A second server, to which none of this may send anything. */
  const elsewhere = 'http://127.0.0.1:9';

  test.each<[string, Record<string, string>]>([
    ['keys', key],
    ['keys and a preference for signing', { ...key, AWS_AUTH_SCHEME_PREFERENCE: 'sigv4,sigv4a' }],
    ['keys and a preference for signing in all regions', { ...key, AWS_AUTH_SCHEME_PREFERENCE: 'sigv4a' }],
    ['a profile that does not exist', { AWS_PROFILE: 'nobody' }],
    ['files that do not exist', { AWS_CONFIG_FILE: '/nonexistent', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent' }],
    ['another region', { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-1' }],
    ['another endpoint', { AWS_ENDPOINT_URL: elsewhere, AWS_ENDPOINT_URL_STS: elsewhere }],
    ['FIPS endpoints', { AWS_USE_FIPS_ENDPOINT: 'true' }],
    ['dual-stack endpoints', { AWS_USE_DUALSTACK_ENDPOINT: 'true' }],
    ['retries', { AWS_MAX_ATTEMPTS: '7', AWS_RETRY_MODE: 'adaptive' }],
    ['values that mean nothing', { AWS_MAX_ATTEMPTS: '-', AWS_RETRY_MODE: '-' }],
    ['a mode that does not exist', { AWS_DEFAULTS_MODE: '-' }],
    ['a web identity of its own', { AWS_ROLE_ARN: 'arn:aws:iam::1:role/x', AWS_WEB_IDENTITY_TOKEN_FILE: '/x' }],
  ])('does not change the request or break it: %s', async (_, env) => {
    stubEnv(env);
    const { request } = await requestOf();
    expect(JSON.stringify(request.headers)).not.toMatch(/authorization|security-token|AKIAHOST/i);
    expect(request.headers['amz-sdk-request']).toBe('attempt=1; max=1');
  });

  test('does not change the request or break it: a profile that says all of this', async () => {
    const file = join(await tempFolder(), 'config');
    const lines = [
      '[default]',
      `endpoint_url = ${elsewhere}`,
      'use_fips_endpoint = true',
      'use_dualstack_endpoint = true',
      'auth_scheme_preference = sigv4a',
      'defaults_mode = -',
      `aws_access_key_id = ${key.AWS_ACCESS_KEY_ID}`,
      'aws_secret_access_key = host',
    ];
    await writeFile(file, lines.join('\n'));
    stubEnv({ AWS_CONFIG_FILE: file, AWS_SHARED_CREDENTIALS_FILE: file });
    const { request } = await requestOf();
    expect(JSON.stringify(request.headers)).not.toMatch(/authorization|security-token|AKIAHOST/i);
  });

  test("does not send the token elsewhere than to the region's own STS", async () => {
    const other = await startGoodSts();
    stubEnv({ AWS_ENDPOINT_URL: other.url, AWS_ENDPOINT_URL_STS: other.url, AWS_USE_FIPS_ENDPOINT: 'true' });
    const requests: string[] = [];
    let abort = new AbortController();
    // Seen where Node makes the request; it is given up there, before a byte could leave.
    const onRequest = (message: unknown): void => {
      const request = Object(message).request;
      if (request instanceof ClientRequest) requests.push(`${request.protocol}//${request.host}`);
      abort.abort(new Error('seen enough'));
    };
    subscribe('http.client.request.created', onRequest);
    onTestFinished(() => void unsubscribe('http.client.request.created', onRequest));
    const exchanger = connect(undefined);
    for (const region of ['us-east-1', 'eu-central-1', 'us-gov-west-1', 'cn-north-1']) {
      abort = new AbortController();
      const exchange = exchanger.exchange(await subjectToken(), { ...MODELS_GRANT, region }, { signal: abort.signal });
      await expect(exchange).rejects.toThrow('seen enough');
    }
    expect(requests).toEqual([
      'https://sts.us-east-1.amazonaws.com',
      'https://sts.eu-central-1.amazonaws.com',
      'https://sts.us-gov-west-1.amazonaws.com',
      'https://sts.cn-north-1.amazonaws.com.cn',
    ]);
    expect(other.requests.all).toEqual([]);
  });

  function stubEnv(env: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
  }
});

describe('an answer that is no usable credential is refused, once and for all', () => {
  const CUT = credentialsXml().slice(0, 300);

  test.each([
    ['no access key', credentialsXml({ AccessKeyId: undefined }), 'a field is missing'],
    ['no secret', credentialsXml({ SecretAccessKey: undefined }), 'a field is missing'],
    ['no session token', credentialsXml({ SessionToken: undefined }), 'a field is missing'],
    ['no expiration', credentialsXml({ Expiration: undefined }), 'a field is missing'],
    ['an empty access key', credentialsXml({ AccessKeyId: '' }), 'a field is missing'],
    ['an empty secret', credentialsXml({ SecretAccessKey: '' }), 'a field is missing'],
    ['an empty session token', credentialsXml({ SessionToken: '' }), 'a field is missing'],
    ['no credentials at all', '<AssumeRoleWithWebIdentityResponse/>', 'a field is missing'],
    ['another document', '<a><b>1</b></a>', 'a field is missing'],
    ['an empty body', '', 'a field is missing'],
    [
      'credentials that have expired',
      credentialsXml({ Expiration: '2026-11-22T12:00:00Z' }),
      'they expired at 2026-11-22T12:00:00.000Z; check the clocks',
    ],
  ])('%s', async (_, body, detail) => {
    expect(await outcome(body)).toMatchObject({
      code: 'exchange_response_invalid',
      message: 'AWS STS answered without usable credentials',
      detail,
    });
  });

  test.each([
    ['an empty expiration', credentialsXml({ Expiration: '' })],
    ['an expiration that is no date', credentialsXml({ Expiration: 'tomorrow' })],
    ['an expiration that does not exist', credentialsXml({ Expiration: '2026-13-45T99:99:99Z' })],
    ['an element twice', credentialsXml({ AccessKeyId: 'A</AccessKeyId><AccessKeyId>B' })],
    ['an element within a value', credentialsXml({ AccessKeyId: '<x>1</x>' })],
    ['a document that is cut off', CUT],
    ['JSON', '{"Credentials":{}}'],
    ['HTML', '<html><body>Welcome<br></body></html>'],
    ['bytes that mean nothing', '\u0000\u0001\u0002 garbage'],
  ])('%s', async (_, body) => {
    const error = await outcome(body);
    expect(error).toMatchObject({
      code: 'exchange_response_invalid',
      message: 'AWS STS answered with something that is not its protocol',
    });
    expect(error.detail).toMatch(/^HTTP 200, /);
  });

  test('entities are not expanded, and files not read', async () => {
    const bomb = `<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>`;
    const error = await outcome(`${bomb}${credentialsXml({ SessionToken: '&b;&f;' })}`);
    expect(error.code).toBe('exchange_response_invalid');
    expect(JSON.stringify(error)).not.toContain('root:');
  });

  test('but one that is good to the last second is taken', async () => {
    const sts = await startScriptedSts();
    sts.onRequest = () => ({ status: 200, body: credentialsXml({ Expiration: '2026-11-22T12:00:01Z' }) });
    const credentials = await connect(sts.url).exchange(await subjectToken(), MODELS_GRANT, { signal: unaborted() });
    expect(credentials.expiresAt).toBe(Date.parse('2026-11-22T12:00:01Z'));
  });

  async function outcome(body: string) {
    const sts = await startScriptedSts();
    sts.onRequest = () => ({ status: 200, body });
    const error = await refusal(connect(sts.url).exchange(await subjectToken(), MODELS_GRANT, { signal: unaborted() }));
    expect(sts.requests.all).toHaveLength(1);
    expect(JSON.stringify([error.message, error.detail])).not.toMatch(/secret\/access|session\/token/);
    return error;
  }
});
