import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../../fakes/clock.ts';
import { startOidcIssuer } from '../../fakes/oidc-issuer.ts';
import { ask } from '../../support/http.ts';
import { makeKey, type TestKey } from '../../support/jwk.ts';
import { AUDIENCE, type LocalSts, SUBJECT, startLocalSts } from '../../support/local-sts.ts';
import { amzDate, authorizationOf, type Sigv4Key, type Sigv4Request, sha256 } from '../../support/sigv4.ts';

const BODY = 'Action=GetCallerIdentity&Version=2011-06-15';
const MINUTE = 60_000;

let key: TestKey;

beforeAll(async () => {
  key = await makeKey('ES256', 'key');
});

interface Session extends Sigv4Key {
  readonly sessionToken: string;
}

interface World {
  readonly sts: LocalSts;
  readonly clock: FakeClock;
  /** A session of 15 minutes. */
  open(): Promise<Session>;
  /** Signs a good request, changes it, and gives the status and the code it is refused with, or its caller. */
  send(session: Session, changes?: Changes): Promise<readonly [number, string | undefined]>;
}

interface Changes {
  /** Before the request is signed. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly signedBody?: string;
  /** After it. */
  readonly sentHeaders?: Readonly<Record<string, string | undefined>>;
  readonly sentBody?: string;
  authorization?(signed: string): string | undefined;
}

async function start(): Promise<World> {
  // The SDK signs with the real time; whole seconds make the ends of sessions exact.
  const clock = createFakeClock(Math.floor(Date.now() / 1000) * 1000);
  const issuer = await startOidcIssuer([key.jwk]);
  const sts = await startLocalSts({ issuer: issuer.url, clock });
  return {
    sts,
    clock,
    async open() {
      const iat = Math.floor(clock.now() / 1000);
      const claims = { iss: issuer.url, sub: SUBJECT, aud: [AUDIENCE], iat, exp: iat + 60 };
      const answer = await sts.assume({ WebIdentityToken: await key.sign(claims), DurationSeconds: '900' });
      return {
        accessKeyId: answer.element('AccessKeyId') ?? '',
        secretAccessKey: answer.element('SecretAccessKey') ?? '',
        sessionToken: answer.element('SessionToken') ?? '',
        region: 'us-east-1',
      };
    },
    async send(
      session,
      { headers = {}, signedBody = BODY, sentHeaders = {}, sentBody = signedBody, authorization } = {},
    ) {
      const request: Sigv4Request = {
        method: 'POST',
        path: '/',
        headers: present({
          host: new URL(sts.url).host,
          'content-type': 'application/x-www-form-urlencoded',
          'x-amz-date': amzDate(clock.now()),
          'x-amz-security-token': session.sessionToken,
          ...headers,
        }),
        body: signedBody,
      };
      const signed = authorizationOf(request, session);
      const sent = present({
        ...request.headers,
        authorization: authorization === undefined ? signed : authorization(signed),
        ...sentHeaders,
      });
      const { status, text } = await ask(sts.url, { method: 'POST', path: '/', headers: sent, body: sentBody });
      return [status, /<(?:Code|Arn)>([^<]*)</.exec(text)?.[1]];
    },
  };
}

function present(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return Object.fromEntries(entries);
}

const CALLER = [200, 'arn:aws:sts::111122223333:assumed-role/models/session'];
const MISMATCH = [403, 'SignatureDoesNotMatch'];
const INCOMPLETE = [403, 'IncompleteSignature'];
const INVALID_TOKEN = [403, 'InvalidClientTokenId'];

describe('a signature that is right', () => {
  test('that the SDK makes', async () => {
    const { sts, open } = await start();
    const { accessKeyId, secretAccessKey, sessionToken } = await open();
    for (const region of ['us-east-1', 'eu-central-1']) {
      const credentials = { accessKeyId, secretAccessKey, sessionToken };
      const client = new STSClient({ region, endpoint: sts.url, credentials });
      onTestFinished(() => client.destroy());
      const { Arn, Account, UserId } = await client.send(new GetCallerIdentityCommand({}));
      expect([200, Arn]).toEqual(CALLER);
      expect([Account, UserId]).toEqual(['111122223333', expect.stringMatching(/^AROA[A-Z0-9]{17}:session$/)]);
    }
  });

  test("that is made by AWS's description alone", async () => {
    const { open, send } = await start();
    expect(await send(await open())).toEqual(CALLER);
  });

  test('that covers further headers, the hash of the body among them', async () => {
    const { open, send } = await start();
    const headers = { 'x-amz-content-sha256': sha256(BODY), 'x-amz-meta': '  two   words ', accept: '*/*' };
    expect(await send(await open(), { headers })).toEqual(CALLER);
  });

  test('with headers beside it that it does not cover', async () => {
    const { open, send } = await start();
    expect(await send(await open(), { sentHeaders: { 'user-agent': 'test', accept: '*/*' } })).toEqual(CALLER);
  });

  test('up to 15 minutes old or early', async () => {
    const { clock, open, send } = await start();
    for (const skew of [-14 * MINUTE, 14 * MINUTE]) {
      const session = await open();
      expect(await send(session, { headers: { 'x-amz-date': amzDate(clock.now() + skew) } })).toEqual(CALLER);
    }
  });
});

describe('a signature that is not', () => {
  const tampered: readonly (readonly [string, Changes])[] = [
    ['another body', { sentBody: `${BODY}&Extra=1` }],
    ['an empty body beside the right one', { signedBody: `${BODY}&`, sentBody: BODY }],
    [
      'a signed header that was changed',
      { sentHeaders: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' } },
    ],
    [
      'a signed header that was taken away',
      { headers: { 'x-amz-meta': 'a' }, sentHeaders: { 'x-amz-meta': undefined } },
    ],
    ['another host', { sentHeaders: { host: 'sts.amazonaws.com' } }],
    ['another time', { sentHeaders: { 'x-amz-date': amzDate(Date.now() - MINUTE) } }],
    ['another region', { authorization: (signed) => signed.replace('us-east-1', 'us-east-2') }],
    ['another signature', { authorization: (signed) => signed.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')) }],
    ['fewer signed headers than it says', { authorization: (signed) => signed.replace('content-type;', '') }],
    [
      'more signed headers than it covers',
      { authorization: (signed) => signed.replace('=content-type;', '=accept;content-type;') },
    ],
    ['another day in its scope', { authorization: (signed) => signed.replace(/\/\d{8}\//, '/20200101/') }],
    ['the hash of another body', { headers: { 'x-amz-content-sha256': sha256('') } }],
    [
      'a hash that is right, and another body',
      { headers: { 'x-amz-content-sha256': sha256(BODY) }, sentBody: `${BODY}&Extra=1` },
    ],
    ['no hash of the body at all', { headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }],
  ];

  test.each(tampered)('%s', async (_, changes) => {
    const { open, send } = await start();
    expect(await send(await open(), changes)).toEqual(MISMATCH);
  });

  test('made with another secret', async () => {
    const { open, send } = await start();
    const [one, other] = [await open(), await open()];
    expect(await send({ ...one, secretAccessKey: other.secretAccessKey })).toEqual(MISMATCH);
    expect(await send({ ...one, secretAccessKey: `${one.secretAccessKey} ` })).toEqual(MISMATCH);
  });

  test('that does not cover the host, so that it would do for any', async () => {
    const { sts, open, send } = await start();
    const unsigned = { headers: { host: undefined }, sentHeaders: { host: new URL(sts.url).host } };
    expect(await send(await open(), unsigned)).toEqual(MISMATCH);
  });

  test('15 minutes and a second old, or early', async () => {
    const { clock, open, send } = await start();
    const session = await open();
    for (const skew of [-15 * MINUTE - 1_000, 15 * MINUTE + 1_000, -86_400_000]) {
      expect(await send(session, { headers: { 'x-amz-date': amzDate(clock.now() + skew) } })).toEqual(MISMATCH);
    }
  });

  const malformed: readonly (readonly [string, Changes])[] = [
    ['no date', { sentHeaders: { 'x-amz-date': undefined } }],
    ['a date in another form', { sentHeaders: { 'x-amz-date': '2026-11-22T12:00:00Z' } }],
    ['a date that is none', { sentHeaders: { 'x-amz-date': '20261322T120000Z' } }],
    ['another algorithm', { authorization: (signed) => signed.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256') }],
    ['a scope of another service', { authorization: (signed) => signed.replace('/sts/', '/s3/') }],
    ['a scope without its end', { authorization: (signed) => signed.replace('/aws4_request', '') }],
    ['no signature', { authorization: (signed) => signed.replace(/, Signature=.*$/, '') }],
    [
      'a signature in upper case',
      { authorization: (signed) => signed.replace(/[0-9a-f]{64}$/, (hex) => `${hex.slice(1).toUpperCase()}A`) },
    ],
    ['a bearer token', { authorization: () => 'Bearer abc' }],
    ['something after the signature', { authorization: (signed) => `${signed}, x=y` }],
  ];

  test.each(malformed)('with %s it is incomplete', async (_, changes) => {
    const { open, send } = await start();
    expect(await send(await open(), changes)).toEqual(INCOMPLETE);
  });

  test('there at all', async () => {
    const { open, send, sts } = await start();
    const missing = [403, 'MissingAuthenticationToken'];
    expect(await send(await open(), { authorization: () => undefined })).toEqual(missing);
    const answer = await sts.post({ Action: 'GetCallerIdentity', Version: '2011-06-15' });
    expect([answer.status, answer.element('Code')]).toEqual(missing);
  });
});

describe('a session that is none', () => {
  test('an access key that STS never gave out', async () => {
    const { open, send } = await start();
    const session = await open();
    expect(await send({ ...session, accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' })).toEqual(INVALID_TOKEN);
    expect(await send({ ...session, accessKeyId: '__proto__' })).toEqual(INVALID_TOKEN);
  });

  test('a session without its token, or with that of another', async () => {
    const { open, send } = await start();
    const [session, other] = [await open(), await open()];
    expect(await send(session, { headers: { 'x-amz-security-token': undefined } })).toEqual(INVALID_TOKEN);
    expect(await send(session, { headers: { 'x-amz-security-token': other.sessionToken } })).toEqual(INVALID_TOKEN);
    expect(await send(session, { headers: { 'x-amz-security-token': '' } })).toEqual(INVALID_TOKEN);
  });

  test('a session that expired, also when others were opened since', async () => {
    const { clock, open, send } = await start();
    const session = await open();
    await clock.advance(15 * MINUTE - 1_000);
    expect(await send(session)).toEqual(CALLER);
    await clock.advance(1_000);
    expect(await send(session)).toEqual([403, 'ExpiredToken']);
    const next = await open();
    expect(await send(session)).toEqual([403, 'ExpiredToken']);
    expect(await send(next)).toEqual(CALLER);
  });
});
