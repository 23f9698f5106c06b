import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Authority, createAuthority } from '../../src/dev/authority.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { type Finished, svidx } from '../support/svidx.ts';
import { tempFolder } from '../support/temp.ts';

const API = 'spiffe://example.org/api';
const OTHER = 'spiffe://example.com/api';

/** Two trust domains, each with a key of its own. */
let org: Authority;
let com: Authority;
beforeAll(async () => {
  const options = { clock: systemClock, jwtIssuer: 'https://oidc.example.org', keyTtlMs: 3600_000 };
  [org, com] = await Promise.all([
    createAuthority({ ...options, keyType: 'ec-p256' }),
    createAuthority({ ...options, keyType: 'rsa-2048' }),
  ]);
});
afterAll(() => {
  org.close();
  com.close();
});

async function mint(authority: Authority, spiffeId = API, ttl = 300): Promise<string> {
  return (await authority.mint({ spiffeId: SpiffeId.parse(spiffeId), audience: ['me', 'you'], ttl })).token;
}

async function bundleFile(content?: string): Promise<string> {
  const both = { 'example.org': JSON.parse(org.jwkSet()), 'example.com': JSON.parse(com.jwkSet()) };
  const path = join(await tempFolder(), 'bundles.json');
  await writeFile(path, content ?? JSON.stringify(both));
  return path;
}

/** Verifies for `me`, with the bundles of both trust domains. */
async function verify(token: string, options: { audience?: string; stdin?: string } = {}): Promise<Finished> {
  const { audience = 'me', stdin } = options;
  const args = ['verify', token, '--audience', audience, '--bundles', await bundleFile()];
  return svidx(args, stdin === undefined ? {} : { stdin });
}

function refusalOf({ code, stdout, stderr }: Finished): [number | null, string, string | undefined] {
  return [code, stdout, /^svidx: (\w+): /.exec(stderr)?.[1]];
}

/** The token with its payload changed, and its signature as it was. */
function forged(token: string, changes: object): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...changes };
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

describe('verify', () => {
  test('says what a good token says', async () => {
    const token = await mint(org);
    const { code, stdout, stderr } = await verify(token);
    expect([code, stderr]).toEqual([0, '']);
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(JSON.parse(stdout)).toStrictEqual({
      spiffeId: API,
      audience: ['me', 'you'],
      issuedAt: new Date(claims.iat * 1000).toISOString(),
      expiresAt: new Date(claims.exp * 1000).toISOString(),
      claims,
    });
  });

  test('takes each token with the keys of its own trust domain', async () => {
    expect(JSON.parse((await verify(await mint(com, OTHER))).stdout).spiffeId).toBe(OTHER);
  });

  test('takes a SPIFFE Bundle Map, each token with the keys of its own trust domain', async () => {
    const bundle = (authority: Authority): object => {
      const { keys }: { keys: object[] } = JSON.parse(authority.jwkSet());
      return { keys: keys.map((key) => ({ ...key, use: 'jwt-svid' })), spiffe_sequence: 1 };
    };
    const map = { trust_domains: { 'example.org': bundle(org), 'example.com': bundle(com) } };
    const bundles = await bundleFile(JSON.stringify(map));
    const verifyWith = async (token: string) =>
      refusalOf(await svidx(['verify', token, '--audience', 'me', '--bundles', bundles])).toSpliced(1, 1);
    expect(await verifyWith(await mint(org))).toEqual([0, undefined]);
    expect(await verifyWith(await mint(com, OTHER))).toEqual([0, undefined]);
    expect(await verifyWith(await mint(com))).toEqual([1, 'token_key_unknown']);
    expect(await verifyWith(await mint(org, OTHER))).toEqual([1, 'token_key_unknown']);
  });

  test.each(['', '\r\n'])('reads a token from stdin for "-", with %j behind it', async (end) => {
    expect((await verify('-', { stdin: `${await mint(org)}${end}` })).code).toBe(0);
  });

  test('reads a token from stdin where none is named', async () => {
    const args = ['verify', '--audience', 'me', '--bundles', await bundleFile()];
    expect((await svidx(args, { stdin: `${await mint(org)}\n` })).code).toBe(0);
  });

  test('takes a token that is meant for any of several audiences', async () => {
    const args = [
      'verify',
      await mint(org),
      '--audience',
      'nobody',
      '--audience',
      'you',
      '--bundles',
      await bundleFile(),
    ];
    expect((await svidx(args)).code).toBe(0);
  });
});

describe('verify refuses, with nothing on stdout,', () => {
  const FOREIGN = 'spiffe://unknown.example.org/api';

  test.each<[string, () => string | Promise<string>, string]>([
    ['what is no token', () => 'token', 'token_malformed'],
    ['an empty token', () => '', 'token_malformed'],
    ['two tokens', async () => `${await mint(org)} ${await mint(org)}`, 'token_malformed'],
    ['a token without its signature', async () => (await mint(org)).replace(/[^.]*$/, ''), 'token_malformed'],
    [
      'a token whose subject was changed',
      async () => forged(await mint(org), { sub: `${API}2` }),
      'token_signature_invalid',
    ],
    ['a token with more time', async () => forged(await mint(org), { exp: 9_999_999_999 }), 'token_signature_invalid'],
    ['a token of a key of another trust domain', () => mint(com), 'token_key_unknown'],
    ['a token of another trust domain', () => mint(org, FOREIGN), 'token_trust_domain_unknown'],
    ['a token that has expired', () => mint(org, API, -60), 'token_expired'],
  ])('%s', async (_, token, code) => {
    expect(refusalOf(await verify(await token()))).toEqual([1, '', code]);
  });

  test('a token for somebody else', async () => {
    const token = await mint(org);
    for (const audience of ['ME', 'me,you', 'm', 'nobody']) {
      expect(refusalOf(await verify(token, { audience }))).toEqual([1, '', 'token_audience_mismatch']);
    }
  });

  test('an empty stdin', async () => {
    expect(refusalOf(await verify('-', { stdin: '\n' }))).toEqual([1, '', 'token_malformed']);
  });
});

describe('a file of bundles is refused', () => {
  const verifyWith = async (file: string): Promise<Finished> =>
    svidx(['verify', await mint(org), '--audience', 'me', '--bundles', file]);

  test.each([
    ['no JSON', '{"example.org": ', 'expected a JSON object from trust domain name to JWK Set'],
    ['a list', '[]', 'expected a JSON object from trust domain name to JWK Set'],
    ['a text', '"example.org"', 'expected a JSON object from trust domain name to JWK Set'],
    ['a bundle that is no key set', '{"example.org": []}', 'the bundle of example.org must be a JSON object'],
    [
      'a trust domain twice',
      '{"example.org": {"keys": []}, "example.org": {"keys": []}}',
      '"example.org" is written twice',
    ],
    ['a bundle that is null', '{"example.org": null}', 'the bundle of example.org must be a JSON object'],
    ['a trust domain in upper case', '{"Example.org": {"keys": []}}', 'the trust domain name may hold a-z'],
    ['a trust domain written as an ID', '{"spiffe://example.org": {"keys": []}}', 'the trust domain name may hold a-z'],
  ])('when it holds %s, naming it', async (_, content, problem) => {
    const file = await bundleFile(content);
    const refused = await verifyWith(file);
    expect(refusalOf(refused)).toEqual([2, '', 'usage_invalid']);
    expect(refused.stderr).toContain(`--bundles: ${file}: ${problem}`);
  });

  test('when it is not there', async () => {
    expect(await verifyWith('/nonexistent/bundles.json')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'svidx: usage_invalid: --bundles: /nonexistent/bundles.json: cannot be read (ENOENT)\n',
    });
  });

  test.each([
    ['it is empty', '{}', 'token_trust_domain_unknown'],
    ['its trust domain has no key', '{"example.org": {"keys": []}}', 'token_key_unknown'],
  ])('not, but the token is, when %s', async (_, content, code) => {
    expect(refusalOf(await verifyWith(await bundleFile(content)))).toEqual([1, '', code]);
  });
});
