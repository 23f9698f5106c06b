import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusal } from '../support/errors.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';
import { startVaultWorld } from '../support/vault.ts';

const DENIED = 'Vault refused: the role does not admit this SPIFFE ID';
const TOKEN_REJECTED = 'Vault does not accept the JWT-SVID';
const REQUEST_REJECTED = 'Vault refused the request: check role, mount, method and namespace of the grant';
const THROTTLED = 'Vault is throttling';
const UNAVAILABLE = 'Vault cannot be reached, is sealed, or fails';
const NOT_VAULT = 'Vault answered with something that is not its protocol';

/** facts/vault.md sections 1 and 6. */
const FINAL: readonly (readonly [number, string, ErrorCode, string])[] = [
  [400, 'error validating token: invalid issuer (iss) claim', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'error validating token: anything new', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'error validating token: invalid subject (sub) claim', 'exchange_denied', DENIED],
  [400, 'error validating claims: claim "x" is missing', 'exchange_denied', DENIED],
  [400, 'audience claim found in JWT but no audiences bound to the role', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'claim "x" not found in token', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'claim "x" could not be converted to string', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'missing role', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'missing token', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'role "x" could not be found', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'role with oidc role_type is not allowed', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'could not load configuration', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'anything new', 'exchange_request_rejected', REQUEST_REJECTED],
  [403, 'permission denied', 'exchange_denied', DENIED],
  [404, 'no handler for route "auth/x/login". route entry not found.', 'exchange_request_rejected', REQUEST_REJECTED],
  [405, 'unsupported operation', 'exchange_request_rejected', REQUEST_REJECTED],
  [413, 'http: request body too large', 'exchange_request_rejected', REQUEST_REJECTED],
];

const PASSING: readonly (readonly [number, string, ErrorCode, string])[] = [
  [
    400,
    'error validating token: error verifying token signature: fetching keys oidc: get keys failed Get "x": EOF',
    'exchange_unavailable',
    UNAVAILABLE,
  ],
  [400, 'error configuring token validator: EOF', 'exchange_unavailable', UNAVAILABLE],
  [412, 'required index state not present', 'exchange_unavailable', UNAVAILABLE],
  [429, 'request path "auth/jwt/login": rate limit quota exceeded', 'exchange_throttled', THROTTLED],
  [500, 'internal error', 'exchange_unavailable', UNAVAILABLE],
  [502, 'upstream', 'exchange_unavailable', UNAVAILABLE],
  [503, 'Vault is sealed', 'exchange_unavailable', UNAVAILABLE],
];

async function exchangeWith(status: number, body: string, headers: Readonly<Record<string, string>> = {}) {
  const world = await startVaultWorld();
  world.vault.instead = () => ({ status, body, headers });
  const error = await refusal(world.exchange());
  return { error, ...world };
}

describe('a refusal', () => {
  test.each(FINAL)('HTTP %i %s is %s, at once', async (status, says, code, message) => {
    const { error, vault } = await exchangeWith(status, JSON.stringify({ errors: [says] }));
    expect(error).toMatchObject({ code, message: expect.stringContaining(message), detail: `HTTP ${status}, ${says}` });
    expect(vault.requests.all).toHaveLength(1);
  });

  test.each(PASSING)('HTTP %i %s is %s, after three attempts', async (status, says, code, message) => {
    const { error, vault, waits } = await exchangeWith(status, JSON.stringify({ errors: [says] }));
    expect(error).toMatchObject({ code, message, detail: `HTTP ${status}, ${says}` });
    expect(vault.requests.all).toHaveLength(3);
    expect(waits).toEqual([150, 300]);
  });

  test('without words is told by its status, and several are all in the detail', async () => {
    const none = await exchangeWith(404, '{"errors":[]}');
    expect(none.error).toMatchObject({ code: 'exchange_request_rejected', detail: 'HTTP 404, ' });
    const two = await exchangeWith(
      403,
      '{"errors":["1 error occurred:\\n\\t* permission denied\\n\\n","invalid token"]}',
    );
    expect(two.error).toMatchObject({
      code: 'exchange_denied',
      detail: 'HTTP 403, 1 error occurred: * permission denied ; invalid token',
    });
  });

  test('that asks for time is given it', async () => {
    const { waits } = await exchangeWith(429, '{"errors":["rate limit quota exceeded"]}', { 'Retry-After': '2' });
    expect(waits).toEqual([2150, 2300]);
  });
});

describe('a redirect is not followed', () => {
  test.each([301, 302, 303, 307, 308])('%i, wherever it leads', async (status) => {
    const elsewhere = await startVaultWorld();
    for (const location of [`${elsewhere.vault.url}/v1/auth/jwt/login`, '/v1/auth/jwt/login', 'http://127.0.0.1:1']) {
      const { error, vault } = await exchangeWith(status, '', { Location: location });
      expect(error).toMatchObject({
        code: 'exchange_response_invalid',
        message: 'Vault redirects, which is not followed: the address of the grant must be the one that answers',
        detail: expect.stringContaining(`HTTP ${status}`),
      });
      expect(vault.requests.all).toHaveLength(1);
    }
    expect(elsewhere.vault.requests.all).toEqual([]);
  });
});

describe('an answer without a usable token', () => {
  const GOOD = { client_token: 'hvs.AAAAAAAAAAAAAAAAAAAAAAAA', lease_duration: 600, renewable: true, num_uses: 0 };
  const answer = (auth: object | null, more: object = {}): string => JSON.stringify({ ...more, auth });
  const UNUSABLE = 'Vault answered without a usable token';
  const LIMITED = 'Vault gives a token of limited uses, which cannot be shared: set token_num_uses=0 on the role';

  test.each<[string, string, string, string]>([
    ['no expiry', answer({ ...GOOD, lease_duration: 0 }), UNUSABLE, 'it does not expire'],
    ['limited uses', answer({ ...GOOD, num_uses: 3 }), LIMITED, 'num_uses is 3'],
    [
      'wrapping',
      answer(null, { wrap_info: { token: 'hvs.WRAPPINGWRAPPINGWRAPPING', ttl: 60 } }),
      UNUSABLE,
      'it is wrapped',
    ],
    ['no auth', answer(null), NOT_VAULT, 'HTTP 200, application/json, '],
    ['no token', answer({ ...GOOD, client_token: undefined }), NOT_VAULT, 'HTTP 200'],
    ['an empty token', answer({ ...GOOD, client_token: '' }), NOT_VAULT, 'HTTP 200'],
    ['a token that fits no header', answer({ ...GOOD, client_token: 'hvs.A\nB' }), NOT_VAULT, 'HTTP 200'],
    ['a token that is a number', answer({ ...GOOD, client_token: 7 }), NOT_VAULT, 'HTTP 200'],
    ['no lease', answer({ ...GOOD, lease_duration: undefined }), NOT_VAULT, 'HTTP 200'],
    [
      'a lease on top alone',
      answer({ ...GOOD, lease_duration: undefined }, { lease_duration: 600 }),
      NOT_VAULT,
      'HTTP 200',
    ],
    ['a negative lease', answer({ ...GOOD, lease_duration: -1 }), NOT_VAULT, 'HTTP 200'],
    ['half a second', answer({ ...GOOD, lease_duration: 0.5 }), NOT_VAULT, 'HTTP 200'],
    ['a lease in words', answer({ ...GOOD, lease_duration: '10m' }), NOT_VAULT, 'HTTP 200'],
    ['a lease without end', answer({ ...GOOD, lease_duration: 2 ** 31 }), NOT_VAULT, 'HTTP 200'],
    ['nothing on renewal', answer({ ...GOOD, renewable: undefined }), NOT_VAULT, 'HTTP 200'],
    ['something else than an object', '[]', NOT_VAULT, 'HTTP 200, application/json, 2 bytes'],
    ['garbage', '\u0000garbage', NOT_VAULT, 'HTTP 200'],
  ])('%s is refused', async (_, body, message, detail) => {
    const { error, vault } = await exchangeWith(200, body);
    expect(error).toMatchObject({
      code: 'exchange_response_invalid',
      message,
      detail: expect.stringContaining(detail),
    });
    expect(vault.requests.all).toHaveLength(1);
    expect(errorText(error)).not.toMatch(/hvs\./);
  });

  test('a second factor that is wanted is a denial', async () => {
    const mfa_requirement = { mfa_request_id: 'd0c9eec7', mfa_constraints: { all: { any: [{ type: 'totp' }] } } };
    const { error } = await exchangeWith(
      200,
      answer({ ...GOOD, client_token: '', lease_duration: 0, mfa_requirement }),
    );
    expect(error).toMatchObject({
      code: 'exchange_denied',
      message: 'Vault asks for a second factor, which a component has none of: exempt this auth method from login MFA',
    });
  });

  test.each([
    ['another status', 204, ''],
    ['a good answer with the wrong status', 201, answer(GOOD)],
  ])('%s is not its protocol', async (_, status, body) => {
    const { error } = await exchangeWith(status, body);
    expect(error).toMatchObject({ code: 'exchange_response_invalid', message: NOT_VAULT });
  });

  test('but the least that makes one is taken', async () => {
    const world = await startVaultWorld();
    world.vault.instead = () => ({
      status: 200,
      body: answer({ client_token: GOOD.client_token, lease_duration: 1, renewable: false }),
    });
    expect(await world.exchange()).toMatchObject({ expiresAt: world.clock.now() + 1000, renewable: false });
  });
});

describe('an upstream that says our token back to us', () => {
  const errors = (...texts: string[]): string => JSON.stringify({ errors: texts });

  test.each<[string, number, (token: string) => string]>([
    ['in its error', 400, (token) => errors(`error validating token: ${token}`)],
    ['part by part', 403, (token) => errors(...token.split('.'))],
    ['without its signature', 500, (token) => errors(token.slice(0, token.lastIndexOf('.')))],
    ['in HTML', 502, (token) => `<html><b>${token}</b></html>`],
    ['as its token', 200, (token) => JSON.stringify({ auth: { client_token: token } })],
  ])('%s: it reaches neither message, nor detail, nor log', async (_, status, body) => {
    const world = await startVaultWorld();
    const svid = await world.mint();
    const token = svid.token.reveal();
    world.vault.instead = () => ({ status, body: body(token) });
    const error = await refusal(world.exchange({ svid }));
    const log = createMemoryLog();
    log.logger.error({ error }, 'exchange failed');
    expectNoSecrets([errorText(error), ...log.lines], [token]);
    expect(error.detail).not.toBe('');
  });

  test.each(['hvs.CAESIJ-abcdef_0123456789', 'hvb.AAAAAQL-abcdef0123456789', 's.Zm9vYmFyMDEyMzQ1Njc4OQ.ns123'])(
    'or a token of its own: %s',
    async (token) => {
      const { error } = await exchangeWith(403, errors(`bad token ${token}, go away`));
      expect(error.detail).toBe('HTTP 403, bad token [redacted], go away');
    },
  );
});
