import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { createFakeClock } from '../../fakes/clock.ts';
import { DISCOVERY_PATH, type FakeOidcIssuer, type IssuerAnswer, startOidcIssuer } from '../../fakes/oidc-issuer.ts';
import { makeKey, type TestAlgorithm, type TestKey } from '../../support/jwk.ts';
import { AUDIENCE, type LocalSts, type StsAnswer, SUBJECT, startLocalSts } from '../../support/local-sts.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z') / 1000;

const NO_KEYS =
  'Couldn&#39;t retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements';
const NOT_VALID = 'The web identity token could not be validated';
const NOT_A_JWT = 'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)';

let key: TestKey;

beforeAll(async () => {
  key = await makeKey('ES256', 'key');
});

/** Keys that are not the one that signs. */
function manyKeys(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({ ...key.jwk, kid: `${index}` }));
}

interface World {
  readonly issuer: FakeOidcIssuer;
  readonly sts: LocalSts;
  /** A good token of `signer`, unless the claims or the header say otherwise. */
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>, signer?: TestKey): Promise<string>;
}

async function start(keys: readonly object[] = [key.jwk]): Promise<World> {
  const issuer = await startOidcIssuer(keys);
  const sts = await startLocalSts({ issuer: issuer.url, clock: createFakeClock(NOW * 1000) });
  const good = { iss: issuer.url, sub: SUBJECT, aud: [AUDIENCE], iat: NOW, exp: NOW + 300 };
  return {
    issuer,
    sts,
    token: (claims = {}, header = {}, signer = key) => signer.sign({ ...good, ...claims }, header),
  };
}

function expectRefused(answer: StsAnswer, code: string, message: string | RegExp): void {
  expect([answer.status, answer.element('Code'), answer.element('Type')]).toEqual([400, code, 'Sender']);
  expect(answer.element('Message')).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
}

describe('a token that verifies', () => {
  test.each(['ES256', 'ES384', 'ES512', 'RS256'] as const satisfies TestAlgorithm[])('signed with %s', async (alg) => {
    const signer = await makeKey(alg, 'other');
    const { sts, token } = await start([key.jwk, signer.jwk]);
    const answer = await sts.assume({ WebIdentityToken: await token({}, {}, signer) });
    expect([answer.status, answer.element('SubjectFromWebIdentityToken')]).toEqual([200, SUBJECT]);
  });

  test('with its one audience as a text, and with others beside it', async () => {
    const { sts, token } = await start();
    for (const aud of [AUDIENCE, ['other', AUDIENCE]]) {
      const answer = await sts.assume({ WebIdentityToken: await token({ aud }) });
      expect([answer.status, answer.element('Audience')]).toEqual([200, AUDIENCE]);
    }
  });

  test('until its last second', async () => {
    const { sts, token } = await start();
    expect((await sts.assume({ WebIdentityToken: await token({ exp: NOW + 1 }) })).status).toBe(200);
  });

  test('fetches discovery document and keys each time, so that a new key works at once', async () => {
    const { issuer, sts, token } = await start();
    await sts.assume({ WebIdentityToken: await token() });
    const next = await makeKey('RS256', 'next');
    issuer.answers['/keys'] = { keys: [next.jwk] };
    expect((await sts.assume({ WebIdentityToken: await token({}, {}, next) })).status).toBe(200);
    expect(issuer.asked).toEqual([DISCOVERY_PATH, '/keys', DISCOVERY_PATH, '/keys']);
  });

  test('among a hundred keys, the most that AWS reads', async () => {
    const { sts, token } = await start([...manyKeys(99), key.jwk]);
    expect((await sts.assume({ WebIdentityToken: await token() })).status).toBe(200);
  });

  test('finds the keys where the discovery document says they are', async () => {
    const { issuer, sts, token } = await start();
    issuer.answers[DISCOVERY_PATH] = { issuer: issuer.url, jwks_uri: `${issuer.url}/elsewhere?x=y` };
    issuer.answers['/elsewhere?x=y'] = { keys: [key.jwk] };
    expect((await sts.assume({ WebIdentityToken: await token() })).status).toBe(200);
  });
});

describe('a token that does not', () => {
  const claims: readonly (readonly [string, Record<string, unknown>, string | RegExp])[] = [
    ['without sub', { sub: undefined }, NOT_VALID],
    ['without aud', { aud: undefined }, NOT_VALID],
    ['without exp', { exp: undefined }, NOT_VALID],
    ['without iat', { iat: undefined }, NOT_VALID],
    ['that is not valid yet', { nbf: NOW + 1 }, NOT_VALID],
    ['with an exp that is a text', { exp: String(NOW + 300) }, NOT_VALID],
    ['with an exp that is no whole number', { exp: NOW + 300.5 }, NOT_VALID],
    ['with an iat that is no whole number', { iat: NOW - 0.5 }, NOT_VALID],
    ['with an nbf that is no whole number', { nbf: NOW - 0.5 }, NOT_VALID],
    ['for another audience', { aud: ['sts.example.org'] }, 'Incorrect token audience'],
    ['for an audience that only begins like it', { aud: [`${AUDIENCE}.cn`] }, 'Incorrect token audience'],
    ['for no audience', { aud: [] }, 'Incorrect token audience'],
    [
      'of an issuer that is not registered',
      { iss: 'https://other.example.org' },
      /^No OpenIDConnect provider found in your account for https:\/\/other\.example\.org$/,
    ],
    [
      'without issuer',
      { iss: undefined },
      /^No OpenIDConnect provider found in your account for a token without issuer$/,
    ],
    ['with an issuer that is a number', { iss: 1 }, /^No OpenIDConnect provider found/],
  ];

  test.each(claims)('%s', async (_, changes, message) => {
    const { sts, token } = await start();
    expectRefused(await sts.assume({ WebIdentityToken: await token(changes) }), 'InvalidIdentityToken', message);
  });

  test('of an issuer with a slash more is that of another issuer', async () => {
    const { issuer, sts, token } = await start();
    const answer = await sts.assume({ WebIdentityToken: await token({ iss: `${issuer.url}/` }) });
    expectRefused(answer, 'InvalidIdentityToken', /^No OpenIDConnect provider found/);
    expect(issuer.asked).toEqual([]);
  });

  test.each([NOW, NOW - 1, 0])('that expired (exp %d) is told so, for a new one would do', async (exp) => {
    const { sts, token } = await start();
    const answer = await sts.assume({ WebIdentityToken: await token({ exp }) });
    expectRefused(
      answer,
      'ExpiredTokenException',
      'Token expired: current date/time must be before the expiration date/time',
    );
  });

  test.each(['PS256', 'EdDSA'] as const)('signed with %s, which AWS does not take', async (alg) => {
    const signer = await makeKey(alg, 'other');
    const { sts, token } = await start([key.jwk, signer.jwk]);
    expectRefused(
      await sts.assume({ WebIdentityToken: await token({}, {}, signer) }),
      'InvalidIdentityToken',
      NOT_VALID,
    );
  });

  test('signed by another key of the same ID', async () => {
    const { sts, token } = await start();
    const forger = await makeKey('ES256', 'key');
    expectRefused(
      await sts.assume({ WebIdentityToken: await token({}, {}, forger) }),
      'InvalidIdentityToken',
      NOT_VALID,
    );
  });

  test('signed by a key that is not published', async () => {
    const { sts, token } = await start();
    const forger = await makeKey('ES256', 'unknown');
    expectRefused(await sts.assume({ WebIdentityToken: await token({}, {}, forger) }), 'InvalidIdentityToken', NO_KEYS);
  });

  test('that was changed', async () => {
    const { sts, token } = await start();
    const [header, payload, signature] = (await token()).split('.');
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString());
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'spiffe://example.org/admin' })).toString('base64url');
    const answer = await sts.assume({ WebIdentityToken: `${header}.${changed}.${signature}` });
    expectRefused(answer, 'InvalidIdentityToken', NOT_VALID);
  });

  test('without a signature, or with one that the public key makes', async () => {
    const { sts, token } = await start();
    const [, payload] = (await token()).split('.');
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${encode({ alg: 'none', kid: 'key' })}.${payload}.`;
    expectRefused(await sts.assume({ WebIdentityToken: unsigned }), 'InvalidIdentityToken', NOT_VALID);
    const signed = `${encode({ alg: 'HS256', kid: 'key' })}.${payload}`;
    const mac = createHmac('sha256', JSON.stringify(key.jwk)).update(signed).digest('base64url');
    expectRefused(await sts.assume({ WebIdentityToken: `${signed}.${mac}` }), 'InvalidIdentityToken', NOT_VALID);
  });

  test.each([
    'none at all',
    'a.b.c',
    '....',
    'eyJhbGciOiJFUzI1NiJ9.e30',
    'eyJhbGciOiJFUzI1NiJ9.MQ.AAAA',
    'ASIAEXAMPLE',
  ])('because %j is no JWT', async (text) => {
    const { sts } = await start();
    expectRefused(await sts.assume({ WebIdentityToken: text }), 'InvalidIdentityToken', NOT_A_JWT);
  });
});

describe('an issuer whose keys cannot be had', () => {
  const cut = (response: Parameters<Extract<IssuerAnswer, (...args: never[]) => void>>[0]): void => {
    response.writeHead(200, { 'Content-Length': 1000 });
    response.write('{', () => response.destroy());
  };

  const spoilt: readonly (readonly [string, string, (url: string) => IssuerAnswer])[] = [
    [
      'a discovery document of another issuer',
      DISCOVERY_PATH,
      (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/keys` }),
    ],
    ['a discovery document without keys', DISCOVERY_PATH, (url) => ({ issuer: url })],
    ['keys that are at no URL', DISCOVERY_PATH, (url) => ({ issuer: url, jwks_uri: '/keys' })],
    ['a discovery document that is none', DISCOVERY_PATH, () => '<html>'],
    ['a discovery document that is a list', DISCOVERY_PATH, () => '[]'],
    ['an error instead of the document', DISCOVERY_PATH, () => (response) => response.writeHead(500).end('{}')],
    ['success of another sort', DISCOVERY_PATH, () => (response) => response.writeHead(204).end()],
    [
      'a very long document',
      DISCOVERY_PATH,
      (url) => JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }) + ' '.repeat(300_000),
    ],
    ['no keys', '/keys', () => ({ keys: [] })],
    ['101 keys', '/keys', () => ({ keys: [key.jwk, ...manyKeys(100)] })],
    ['keys that are no list', '/keys', () => ({ keys: key.jwk })],
    ['a key without ID', '/keys', () => ({ keys: [{ ...key.jwk, kid: undefined }] })],
    ['a key set that is none', '/keys', () => 'not JSON'],
    ['an error instead of the keys', '/keys', () => (response) => response.writeHead(503).end()],
  ];

  test.each(spoilt)('%s: AWS could not retrieve a key', async (_, path, answer) => {
    const { issuer, sts, token } = await start();
    issuer.answers[path] = answer(issuer.url);
    expectRefused(await sts.assume({ WebIdentityToken: await token() }), 'InvalidIdentityToken', NO_KEYS);
    expect(sts.log.lines).toEqual([]);
  });

  test('a key that is none does not let anybody in', async () => {
    const { issuer, sts, token } = await start();
    for (const jwk of [
      { kid: 'key', kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' },
      { kid: 'key', kty: 'EC', crv: 'P-256' },
    ]) {
      issuer.answers['/keys'] = { keys: [jwk] };
      const answer = await sts.assume({ WebIdentityToken: await token() });
      expect([answer.status, answer.element('Code')]).toEqual([400, 'InvalidIdentityToken']);
    }
  });

  const unreachable: readonly (readonly [string, string, IssuerAnswer])[] = [
    [
      'a redirect, which is not followed',
      DISCOVERY_PATH,
      (response) => response.writeHead(302, { Location: '/real' }).end(),
    ],
    ['a redirect of the keys', '/keys', (response) => response.writeHead(307, { Location: '/real-keys' }).end()],
    ['a connection that is cut at once', DISCOVERY_PATH, (response) => response.destroy()],
    ['a connection that is cut in the middle', DISCOVERY_PATH, cut],
    ['a connection that is cut in the middle of the keys', '/keys', cut],
  ];

  test.each(unreachable)('%s: the provider could not be reached, which may pass', async (_, path, answer) => {
    const { issuer, sts, token } = await start();
    issuer.answers['/real'] = { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` };
    issuer.answers['/real-keys'] = { keys: [key.jwk] };
    issuer.answers[path] = answer;
    const refused = await sts.assume({ WebIdentityToken: await token() });
    expectRefused(refused, 'IDPCommunicationError', /could not be reached$/);
    expect(issuer.asked.filter((asked) => asked.startsWith('/real'))).toEqual([]);
    expect(sts.log.lines).toEqual([]);
  });

  test('an issuer that is down', async () => {
    const { issuer, sts, token } = await start();
    await issuer.close();
    const refused = await sts.assume({ WebIdentityToken: await token() });
    expectRefused(refused, 'IDPCommunicationError', /could not be reached$/);
  });
});
