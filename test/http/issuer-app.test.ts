import { createRemoteJWKSet, jwtVerify } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { askRaw } from '../support/http.ts';
import { startIssuer } from '../support/issuer.ts';
import { makeKey, type TestKey } from '../support/jwk.ts';

const DISCOVERY = '/.well-known/openid-configuration';
const KEYS = '/keys';
const URL_OF_ISSUER = 'https://oidc.example.org';

let es256: TestKey;
let es384: TestKey;
let rs256: TestKey;

beforeAll(async () => {
  [es256, es384, rs256] = await Promise.all([
    makeKey('ES256', 'b-ec'),
    makeKey('ES384', 'c-ec'),
    makeKey('RS256', 'a-rsa'),
  ]);
});

describe('the documents', () => {
  test('the discovery document names the issuer, the key set and the algorithm, and nothing that is not there', async () => {
    const { ask } = await startIssuer({ keys: [es256.jwk], url: URL_OF_ISSUER });
    const { status, headers, text } = await ask({ path: DISCOVERY });
    expect(status).toBe(200);
    expect(text).toBe(
      '{"issuer":"https://oidc.example.org","jwks_uri":"https://oidc.example.org/keys",' +
        '"response_types_supported":["id_token"],"subject_types_supported":["public"],' +
        '"id_token_signing_alg_values_supported":["ES256"]}',
    );
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(text.length),
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
    });
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('set-cookie');
  });

  test('the key set has each key with kid, use and alg, in the order of their IDs', async () => {
    const { ask } = await startIssuer({ keys: [es384.jwk, es256.jwk, rs256.jwk], url: URL_OF_ISSUER });
    const { status, text } = await ask({ path: KEYS });
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({
      keys: [
        { kty: 'RSA', n: rs256.jwk.n, e: 'AQAB', kid: 'a-rsa', use: 'sig', alg: 'RS256' },
        { kty: 'EC', crv: 'P-256', x: es256.jwk.x, y: es256.jwk.y, kid: 'b-ec', use: 'sig', alg: 'ES256' },
        { kty: 'EC', crv: 'P-384', x: es384.jwk.x, y: es384.jwk.y, kid: 'c-ec', use: 'sig', alg: 'ES384' },
      ],
    });
  });

  test('the algorithms are those of the keys that are there, each once', async () => {
    const another = await makeKey('ES256', 'd-ec');
    const { ask } = await startIssuer({ keys: [es384.jwk, es256.jwk, rs256.jwk, another.jwk], url: URL_OF_ISSUER });
    const { text } = await ask({ path: DISCOVERY });
    expect(JSON.parse(text)).toMatchObject({ id_token_signing_alg_values_supported: ['ES256', 'ES384', 'RS256'] });
  });

  test('the private part of a key is never published', async () => {
    const { ask } = await startIssuer({ keys: [es256.privateJwk, rs256.privateJwk], url: URL_OF_ISSUER });
    const { status, text } = await ask({ path: KEYS });
    expect(status).toBe(200);
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
      for (const { privateJwk } of [es256, rs256]) {
        if (privateJwk[member] !== undefined) expect(text).not.toContain(privateJwk[member]);
      }
      expect(text).not.toContain(`"${member}"`);
    }
  });

  test('members that SPIRE or anybody else adds to a key are not published', async () => {
    const extended = { ...es256.jwk, x5c: ['AAAA'], key_ops: ['verify'], spiffe_sequence: 1, __proto__: null };
    const { ask } = await startIssuer({ keys: [extended], url: URL_OF_ISSUER });
    const [key] = JSON.parse((await ask({ path: KEYS })).text).keys;
    expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  });

  test('a verifier that knows the issuer alone finds the keys and verifies tokens of each type', async () => {
    const { issuer } = await startIssuer({ keys: [es256.jwk, es384.jwk, rs256.jwk] });
    const document: { jwks_uri: string } = JSON.parse(await (await fetch(issuer.discoveryUrl)).text());
    const keySet = createRemoteJWKSet(new URL(document.jwks_uri));
    for (const key of [es256, es384, rs256]) {
      const token = await key.sign({ iss: issuer.url, sub: 'spiffe://example.org/api' });
      const { protectedHeader } = await jwtVerify(token, keySet, { issuer: issuer.url });
      expect(protectedHeader).toMatchObject({ alg: key.alg, kid: key.kid });
    }
  });

  test('a token of a key that is not published does not verify', async () => {
    const { issuer } = await startIssuer({ keys: [es256.jwk] });
    const forged = await (await makeKey('ES256', es256.kid)).sign({ iss: issuer.url });
    const unknown = await es384.sign({ iss: issuer.url });
    const keySet = createRemoteJWKSet(new URL(issuer.keysUrl));
    await expect(jwtVerify(forged, keySet)).rejects.toMatchObject({ code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
    await expect(jwtVerify(unknown, keySet)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  });
});

describe('without a key', () => {
  test.each([
    ['before the first bundle', undefined],
    ['with an empty bundle', []],
    ['with a bundle of keys that cannot sign JWT-SVIDs', [{ kty: 'OKP', crv: 'Ed25519', kid: 'a', x: 'AAAA' }]],
  ])('%s both documents are 503, and never an empty key set', async (_, keys) => {
    const { ask } = await startIssuer({ ...(keys === undefined ? {} : { keys }), url: URL_OF_ISSUER });
    for (const path of [DISCOVERY, KEYS]) {
      const { status, headers, text } = await ask({ path });
      expect(status).toBe(503);
      expect(JSON.parse(text)).toEqual({
        code: 'bundle_unavailable',
        message: 'no key of the trust domain has arrived yet',
      });
      expect(headers).toMatchObject({
        'retry-after': '1',
        'cache-control': 'no-store',
        'access-control-allow-origin': '*',
      });
      expect(headers).not.toHaveProperty('etag');
    }
  });

  test('the first bundle is published as soon as it arrives', async () => {
    const { ask, bundles } = await startIssuer({ url: URL_OF_ISSUER });
    expect((await ask({ path: KEYS })).status).toBe(503);
    bundles.set([es256.jwk]);
    expect((await ask({ path: KEYS })).status).toBe(200);
    bundles.set([]);
    expect((await ask({ path: KEYS })).status).toBe(503);
  });
});

describe('methods', () => {
  test.each([DISCOVERY, KEYS])('HEAD %s answers as GET does, without the body', async (path) => {
    const { ask } = await startIssuer({ keys: [es256.jwk], url: URL_OF_ISSUER });
    const [get, head] = [await ask({ path }), await ask({ method: 'HEAD', path })];
    const { date: _, ...expected } = get.headers;
    expect(head).toMatchObject({ status: 200, text: '', headers: expected });
    expect(head.headers['content-length']).toBe(String(get.text.length));
  });

  const others = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'];

  test.each(others.flatMap((method) => [DISCOVERY, KEYS].map((path) => ({ method, path }))))(
    '$method $path is 405 and says what is allowed',
    async ({ method, path }) => {
      const { ask } = await startIssuer({ keys: [es256.jwk], url: URL_OF_ISSUER });
      const { status, headers, text } = await ask({ method, path });
      expect(status).toBe(405);
      expect(headers).toMatchObject({ allow: 'GET, HEAD', 'cache-control': 'no-store' });
      expect(JSON.parse(text)).toEqual({ code: 'method_not_allowed', message: 'this path answers GET and HEAD' });
    },
  );

  test('a method override in a header is not listened to', async () => {
    const { ask } = await startIssuer({ keys: [es256.jwk], url: URL_OF_ISSUER });
    const headers = { 'X-HTTP-Method-Override': 'GET' };
    expect((await ask({ method: 'POST', path: KEYS, headers })).status).toBe(405);
  });
});

describe('paths', () => {
  const nowhere = [
    '/',
    '/Keys',
    '/KEYS',
    '/keys/',
    '//keys',
    '/./keys',
    '/x/../keys',
    '/keys/..',
    '/keys;a=b',
    '/keys%20',
    '/%6beys',
    '/keys%00',
    '/keys.json',
    '/.well-known/openid-configuration/',
    '/.well-known//openid-configuration',
    '/.Well-Known/openid-configuration',
    '/.well-known/openid-configuration.json',
    '/%2ewell-known/openid-configuration',
    '/.well-known%2fopenid-configuration',
    '/.well-known/oauth-authorization-server',
    '/.well-known/jwks.json',
    '/..%2f..%2fetc/passwd',
    '/v1/token',
    '/%',
    '/%ff',
    '*',
  ];

  test.each(nowhere)('there is nothing at %s', async (path) => {
    const { ask } = await startIssuer({ keys: [es256.jwk], url: URL_OF_ISSUER });
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
      const { status, text } = await ask({ method, path });
      expect([method, status]).toEqual([method, 404]);
      if (method !== 'HEAD') {
        expect(JSON.parse(text)).toEqual({ code: 'not_found', message: 'there is nothing at this path' });
      }
    }
  });

  test('a query is not part of the path', async () => {
    const { ask } = await startIssuer({ keys: [es256.jwk], url: URL_OF_ISSUER });
    const plain = await ask({ path: KEYS });
    for (const path of ['/keys?', '/keys?a=b', '/keys?/../x', '/keys?path=/.well-known/openid-configuration']) {
      const { status, headers, text } = await ask({ path });
      expect([status, text, headers.etag]).toEqual([200, plain.text, plain.headers.etag]);
    }
  });

  test('a request in absolute form, as proxies send it, is answered', async () => {
    const { server } = await startIssuer({ keys: [es256.jwk], url: URL_OF_ISSUER });
    const request = 'GET http://oidc.example.org/keys HTTP/1.1\r\nHost: oidc.example.org\r\nConnection: close\r\n\r\n';
    expect(await askRaw(server, request)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('an issuer with a path has its documents below that path and nowhere else', async () => {
    const { ask } = await startIssuer({ keys: [es256.jwk], url: 'https://example.org/tenants/One' });
    expect(JSON.parse((await ask({ path: `/tenants/One${DISCOVERY}` })).text)).toMatchObject({
      issuer: 'https://example.org/tenants/One',
      jwks_uri: 'https://example.org/tenants/One/keys',
    });
    expect((await ask({ path: '/tenants/One/keys' })).status).toBe(200);
    // RFC 8414 would put the well-known part first; OpenID Connect Discovery section 4.1 appends it.
    const elsewhere = [DISCOVERY, KEYS, `${DISCOVERY}/tenants/One`, `/tenants/one${DISCOVERY}`, '/tenants/One//keys'];
    for (const path of elsewhere) expect([path, (await ask({ path })).status]).toEqual([path, 404]);
  });

  test('what is not HTTP is refused without harm', async () => {
    const { ask, server } = await startIssuer({ keys: [es256.jwk], url: URL_OF_ISSUER });
    expect(await askRaw(server, 'not http\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await askRaw(server, `GET /keys HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/ 431 /);
    expect((await ask({ path: KEYS })).status).toBe(200);
  });
});
