import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, SvidxError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { HTTP_STATUS } from '../../src/http/errors.ts';
import { OAUTH_ERROR, oauthStatus } from '../../src/http/oauth-errors.ts';
import { EXPIRY_SECONDS, fakeToken, refusalWithDetail } from '../fakes/broker.ts';
import { boundAccessToken, PROOF_KEY } from '../fakes/other-credentials.ts';
import { ask } from '../support/http.ts';
import {
  ACCESS_TOKEN,
  discoverServer,
  exchange,
  oauthRefusal,
  postForm,
  refusalOf,
  requestFields,
  startTokenEndpoint,
} from '../support/token-endpoint.ts';

const TOKEN = fakeToken('batch', ['https://oidc.example.org']);
const AWS_CREDENTIALS = 'urn:svid-exchange:token-type:aws-credentials';
const VAULT_TOKEN = 'urn:svid-exchange:token-type:vault-token';
const BOUND_TOKEN = 'urn:svid-exchange:token-type:bound-access-token';
const codes = Object.keys(ERROR_CODES) as ErrorCode[];

/** RFC 6749 section 5.2: the characters of `error` and `error_description`. */
const ALLOWED = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;

describe('what openid-client gets', () => {
  test.each(['azure', 'gcp', 'oauth'] as const)('of %s is an access token', async (kind) => {
    const { issuer, redeemer } = await startTokenEndpoint();
    const token = new Secret('the-access-token');
    redeemer.credentials = { kind, token, tokenType: 'Bearer', expiresAt: EXPIRY_SECONDS * 1000 };
    expect(await exchange(await discoverServer(issuer.url), TOKEN, 'blobs')).toEqual({
      access_token: 'the-access-token',
      issued_token_type: ACCESS_TOKEN,
      token_type: 'bearer',
      expires_in: 3600,
    });
    expect(redeemer.asked).toEqual([{ subjectToken: TOKEN, grant: 'blobs', shapes: undefined }]);
  });

  test('of AWS is the fields of the credential, and no token for a header', async () => {
    const { issuer } = await startTokenEndpoint();
    const answer = await exchange(await discoverServer(issuer.url), TOKEN, 'models');
    expect({ ...answer, access_token: JSON.parse(answer.access_token) }).toEqual({
      access_token: {
        kind: 'aws',
        accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
        secretAccessKey: 'the-secret-access-key',
        sessionToken: 'the-session-token',
        expiration: '2030-01-01T00:00:00.000Z',
        region: 'eu-central-1',
      },
      issued_token_type: AWS_CREDENTIALS,
      token_type: 'n_a',
      expires_in: 3600,
    });
  });

  test('of Vault is the token with its server, likewise', async () => {
    const { issuer, redeemer } = await startTokenEndpoint();
    redeemer.credentials = {
      kind: 'vault',
      token: new Secret('hvs.the-token'),
      expiresAt: EXPIRY_SECONDS * 1000 + 999,
      address: 'https://vault.example.org',
      namespace: 'teams/a',
      renewable: true,
    };
    const answer = await exchange(await discoverServer(issuer.url), TOKEN, 'secrets');
    expect({ ...answer, access_token: JSON.parse(answer.access_token) }).toMatchObject({
      access_token: { token: 'hvs.the-token', address: 'https://vault.example.org', namespace: 'teams/a' },
      issued_token_type: VAULT_TOKEN,
      token_type: 'n_a',
      expires_in: 3600,
    });
    expect(answer.access_token).toMatch(/^[\x20-\x7e]+$/);
  });

  test('of an access token that is bound to a key is both, and no token for a header', async () => {
    const { issuer, redeemer } = await startTokenEndpoint();
    redeemer.credentials = { ...boundAccessToken(), expiresAt: EXPIRY_SECONDS * 1000 };
    const answer = await exchange(await discoverServer(issuer.url), TOKEN, 'payments');
    expect({ ...answer, access_token: JSON.parse(answer.access_token) }).toEqual({
      access_token: {
        kind: 'oauth',
        token: 'the-token-of-oauth',
        tokenType: 'DPoP',
        proofKey: PROOF_KEY,
        expiration: '2030-01-01T00:00:00.000Z',
      },
      issued_token_type: BOUND_TOKEN,
      token_type: 'n_a',
      expires_in: 3600,
    });
  });

  test.each([
    [ACCESS_TOKEN, ['azure', 'gcp', 'oauth']],
    [AWS_CREDENTIALS, ['aws']],
    [VAULT_TOKEN, ['vault']],
    [BOUND_TOKEN, ['oauth-bound']],
  ])('is of the type that it asks for: %s', async (type, shapes) => {
    const { issuer, redeemer } = await startTokenEndpoint();
    await exchange(await discoverServer(issuer.url), TOKEN, 'models', { requested_token_type: type });
    expect(redeemer.asked).toMatchObject([{ shapes }]);
  });

  test('may not be kept', async () => {
    const { server, post } = await startTokenEndpoint();
    const { status, headers } = await post(server, requestFields(TOKEN));
    expect([status, headers]).toMatchObject([
      200,
      { 'cache-control': 'no-store', pragma: 'no-cache', 'content-type': 'application/json' },
    ]);
    expect(headers).not.toHaveProperty('etag');
  });
});

describe('every error', () => {
  test.each(codes)('%s has its OAuth error and status, in the characters of the RFC', async (code) => {
    const { server, post, redeemer } = await startTokenEndpoint();
    redeemer.failure = new SvidxError(code, 'a "sentence" \\ of\nGrüße', { detail: 'DETAIL' });
    const { status, headers, text } = await post(server, requestFields(TOKEN));
    const { error, error_description, ...others } = JSON.parse(text);
    expect([status, error, others]).toEqual([oauthStatus(code), OAUTH_ERROR[code], {}]);
    expect(error_description).toMatch(ALLOWED);
    expect(error_description.startsWith(`${code}: `)).toBe(true);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/json' });
    expect(headers['retry-after']).toBe(error === 'temporarily_unavailable' ? '1' : undefined);
  });

  test('is 400, but for what HTTP has a status of its own for and for trouble on our side', () => {
    for (const code of codes) {
      const [status, error] = [oauthStatus(code), OAUTH_ERROR[code]];
      const isOurs = error === 'server_error' || error === 'temporarily_unavailable';
      const expected = [405, 413, 421, 429].includes(HTTP_STATUS[code]) ? HTTP_STATUS[code] : isOurs ? 500 : 400;
      expect([code, status >= 500 ? 500 : status]).toEqual([code, expected]);
    }
    const passing = codes.filter((code) => OAUTH_ERROR[code] === 'temporarily_unavailable');
    expect(passing).toEqual(codes.filter((code) => [429, 503].includes(oauthStatus(code))));
    expect(codes.filter((code) => code.startsWith('token_')).map((code) => OAUTH_ERROR[code])).toEqual(
      Array(7).fill('invalid_request'),
    );
  });

  test('of ours is told as the sentence that everybody may read', async () => {
    const { server, post, redeemer } = await startTokenEndpoint();
    redeemer.failure = new SvidxError('identity_mismatch', 'SPIRE has spiffe://example.org/secret', { detail: 'D' });
    expect((await post(server, requestFields(TOKEN))).text).not.toMatch(/secret|"D"/);
    redeemer.failure = refusalWithDetail();
    expect((await post(server, requestFields(TOKEN))).text).not.toMatch(/DETAIL|trust policy refuses it/);
    redeemer.failure = new SvidxError('policy_denied', 'spiffe://a.example/b: it has no grant "x"');
    expect(JSON.parse((await post(server, requestFields(TOKEN))).text).error_description).toBe(
      "policy_denied: spiffe://a.example/b: it has no grant 'x'",
    );
  });

  test.each([
    ['an error that is none of ours', new Error('SECRET-1')],
    ['a text', 'SECRET-1'],
    ['nothing', null],
  ])('that is %s is an error of the server, and is logged', async (_, failure) => {
    const { server, post, redeemer, log } = await startTokenEndpoint();
    redeemer.failure = failure;
    const answer = await post(server, requestFields(TOKEN));
    expect(refusalOf(answer)).toEqual([500, 'server_error', 'internal_error']);
    expect(answer.text).not.toContain('SECRET-1');
    expect(log.entries()).toMatchObject([{ level: 'error', error: { code: 'internal_error' } }]);
  });

  test('reaches openid-client', async () => {
    const { issuer, redeemer } = await startTokenEndpoint();
    const client = await discoverServer(issuer.url);
    redeemer.failure = new SvidxError('token_expired', 'the token expired');
    const expected = [400, 'invalid_request', 'token_expired'];
    expect(await oauthRefusal(exchange(client, TOKEN, 'models'))).toEqual(expected);
  });
});

describe('methods, paths and origins', () => {
  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'])('%s is 405', async (method) => {
    const { server, redeemer } = await startTokenEndpoint();
    const answer = await ask(server, { method, path: '/token', headers: { Origin: 'https://evil.example' } });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    if (method !== 'HEAD') expect(refusalOf(answer)).toEqual([405, 'invalid_request', 'method_not_allowed']);
    expect(redeemer.asked).toEqual([]);
  });

  test('no page of another origin is let in, whatever is answered', async () => {
    const { server, post } = await startTokenEndpoint();
    const origin = { headers: { Origin: 'https://evil.example' } };
    for (const fields of [requestFields(TOKEN), []]) {
      const { headers } = await post(server, fields, origin);
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  test.each(['/token/', '//token', '/Token', '/%74oken', '/./token', '/token;a', '/keys', '/x/token', '/'])(
    'at %s there is none',
    async (path) => {
      const { server, redeemer } = await startTokenEndpoint();
      const answer = await postForm(server, requestFields(TOKEN), { path });
      expect([answer.status, JSON.parse(answer.text).code]).toEqual([413, 'request_too_large']);
      expect(redeemer.asked).toEqual([]);
    },
  );

  test('a whole URL as the target is the same path', async () => {
    const { server, post, issuer } = await startTokenEndpoint();
    expect((await post(server, requestFields(TOKEN), { path: `${issuer.url}/token` })).status).toBe(200);
    const other = await post(server, requestFields(TOKEN), { path: 'http://evil.example/token' });
    expect(refusalOf(other)).toEqual([421, 'invalid_request', 'host_unknown']);
  });

  test('the metadata are there before any key is, and for everybody', async () => {
    const { server } = await startTokenEndpoint({ url: 'https://oidc.example.org/td' });
    const path = '/.well-known/oauth-authorization-server/td';
    const { status, headers, text } = await ask(server, { path });
    expect([status, JSON.parse(text).token_endpoint]).toEqual([200, 'https://oidc.example.org/td/token']);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect((await ask(server, { path: '/td/keys' })).status).toBe(503);
    expect((await ask(server, { path: `${path}?a` })).status).toBe(200);
    expect((await ask(server, { method: 'POST', path })).status).toBe(405);
    expect((await ask(server, { path: '/td/.well-known/oauth-authorization-server' })).status).toBe(404);
    expect((await ask(server, { path: '/.well-known/oauth-authorization-server' })).status).toBe(404);
  });
});

describe('the guard of the listener', () => {
  test('refuses other hosts, in the words of OAuth', async () => {
    const { server, post, redeemer } = await startTokenEndpoint({ limits: { loopback: false, hosts: ['a.example'] } });
    const asked = (headers: Record<string, string>) => post(server, requestFields(TOKEN), { headers });
    expect(refusalOf(await asked({ Host: 'b.example' }))).toEqual([421, 'invalid_request', 'host_unknown']);
    const forwarded = await asked({ Host: 'b.example', 'X-Forwarded-Host': 'a.example' });
    expect(refusalOf(forwarded)).toEqual([421, 'invalid_request', 'host_unknown']);
    expect(redeemer.asked).toEqual([]);
    expect((await asked({ Host: 'a.example' })).status).toBe(200);
  });

  test('limits one client over the documents and the endpoint together', async () => {
    const clock = { now: () => 0, after: () => ({ cancel() {} }) };
    const limits = { requestsPerSecond: 3, clock };
    const { server, post, redeemer } = await startTokenEndpoint({ limits });
    await ask(server, { path: '/keys' });
    await ask(server, { path: '/nothing' });
    const from = (client: string) => ({ headers: { 'X-Forwarded-For': client } });
    expect((await post(server, requestFields(TOKEN), from('192.0.2.1'))).status).toBe(200);
    // The header is hearsay: no proxy was configured.
    const answer = await post(server, requestFields(TOKEN), from('192.0.2.2'));
    expect(refusalOf(answer)).toEqual([429, 'temporarily_unavailable', 'rate_limited']);
    expect(answer.headers['retry-after']).toBe('1');
    expect(redeemer.asked).toHaveLength(1);
  });

  test('refuses too many headers', async () => {
    const { server, redeemer, post } = await startTokenEndpoint();
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, '1']));
    const answer = await post(server, requestFields(TOKEN), { headers: many });
    expect(refusalOf(answer)).toEqual([413, 'invalid_request', 'request_too_large']);
    expect(redeemer.asked).toEqual([]);
  });
});
