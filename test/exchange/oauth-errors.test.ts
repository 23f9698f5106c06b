import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import type { OAuthGrant } from '../../src/credentials/grants/oauth.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusal } from '../support/errors.ts';
import { exchangeOAuth, type HttpScript, json, oauthError, startScriptedOAuth, tokenAnswer } from '../support/oauth.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';

type Flow = OAuthGrant['flow'];
const FLOWS: readonly Flow[] = ['token-exchange', 'jwt-bearer', 'client-credentials'];

async function exchangeAgainst(answer: HttpScript, flow: Flow = 'jwt-bearer') {
  const server = await startScriptedOAuth();
  server.onToken = () => answer;
  return exchangeOAuth(server, { grant: { flow } });
}

const SAME_IN_EVERY_FLOW: readonly (readonly [number, string, ErrorCode, number])[] = [
  [400, 'invalid_grant', 'exchange_token_rejected', 1],
  [401, 'invalid_token', 'exchange_token_rejected', 1],
  [400, 'unauthorized_client', 'exchange_denied', 1],
  [400, 'access_denied', 'exchange_denied', 1],
  [403, 'access_denied', 'exchange_denied', 1],
  [400, 'invalid_scope', 'exchange_request_rejected', 1],
  [400, 'invalid_target', 'exchange_request_rejected', 1],
  [400, 'unsupported_grant_type', 'exchange_request_rejected', 1],
  [400, 'slow_down', 'exchange_throttled', 3],
  [400, 'temporarily_unavailable', 'exchange_unavailable', 3],
  [503, 'temporarily_unavailable', 'exchange_unavailable', 3],
  [500, 'server_error', 'exchange_unavailable', 3],
  // What stands before the server may have failed, whatever the body says.
  [500, 'invalid_grant', 'exchange_unavailable', 3],
  [429, 'invalid_client', 'exchange_throttled', 3],
  // Codes that are in no table are told by their status.
  [400, 'use_dpop_nonce', 'exchange_request_rejected', 1],
  [400, 'constructor', 'exchange_request_rejected', 1],
  [400, '__proto__', 'exchange_request_rejected', 1],
  [401, 'whatever', 'exchange_denied', 1],
  [403, 'whatever', 'exchange_denied', 1],
  // Some servers refuse with a status that says that all is well.
  [200, 'invalid_grant', 'exchange_token_rejected', 1],
];

describe('what a server refuses by its code', () => {
  test.each(SAME_IN_EVERY_FLOW)('HTTP %i %s is %s', async (status, error, code, attempts) => {
    for (const flow of FLOWS) {
      const { running, server, waits } = await exchangeAgainst(oauthError(status, error, 'what it says'), flow);
      expect(await refusal(running)).toMatchObject({ code, detail: `HTTP ${status}, ${error}: what it says` });
      expect(server.tokens.all).toHaveLength(attempts);
      expect(waits).toEqual([150, 300].slice(0, attempts - 1));
    }
  });

  test.each([
    // RFC 7523 section 3.2: what is refused is the client assertion, and that is the JWT-SVID.
    ['client-credentials', 'invalid_client', undefined, 'exchange_token_rejected'],
    ['token-exchange', 'invalid_client', undefined, 'exchange_denied'],
    ['jwt-bearer', 'invalid_client', undefined, 'exchange_denied'],
    // RFC 8693 section 2.2.2: one code for a bad subject token and for a bad request.
    ['token-exchange', 'invalid_request', undefined, 'exchange_token_rejected'],
    ['token-exchange', 'invalid_request', 'Invalid token', 'exchange_token_rejected'],
    ['token-exchange', 'invalid_request', 'subject_token has expired', 'exchange_token_rejected'],
    ['token-exchange', 'invalid_request', 'The JWT has no known signature', 'exchange_token_rejected'],
    ['token-exchange', 'invalid_request', 'unsupported requested_token_type', 'exchange_request_rejected'],
    ['token-exchange', 'invalid_request', 'audience is not available', 'exchange_request_rejected'],
    ['jwt-bearer', 'invalid_request', 'subject_token', 'exchange_request_rejected'],
    ['client-credentials', 'invalid_request', 'the token', 'exchange_request_rejected'],
  ] as const)('in flow %s, %s (%s) is %s', async (flow, error, description, code) => {
    const { running, server } = await exchangeAgainst(oauthError(400, error, description), flow);
    expect((await refusal(running)).code).toBe(code);
    expect(server.tokens.all).toHaveLength(1);
  });

  test.each([
    ['a description that is none', { error: 'invalid_grant', error_description: 7 }, 'HTTP 400, invalid_grant'],
    ['no JSON type', { error: 'invalid_grant' }, 'HTTP 400, invalid_grant'],
  ])('also with %s', async (_, body, detail) => {
    const { running } = await exchangeAgainst({ ...json(400, body), headers: { 'Content-Type': 'text/plain' } });
    expect(await refusal(running)).toMatchObject({ code: 'exchange_token_rejected', detail });
  });

  test.each([
    ['no code', { message: 'no' }],
    ['an empty code', { error: '' }],
    ['a code that is no text', { error: { code: 'invalid_grant' } }],
    ['a list', ['invalid_grant']],
  ])('but not with %s', async (_, body) => {
    const { running, server } = await exchangeAgainst(json(400, body));
    expect(await refusal(running)).toMatchObject({
      code: 'exchange_response_invalid',
      message: 'the authorization server answered with something that is not its protocol',
      detail: expect.stringMatching(/^HTTP 400, application\/json, \d+ bytes/),
    });
    expect(server.tokens.all).toHaveLength(1);
  });

  test('each code has a message of its own that names no upstream text', async () => {
    const messages = new Set<string>();
    for (const error of ['invalid_grant', 'access_denied', 'invalid_scope', 'slow_down', 'server_error']) {
      const { running } = await exchangeAgainst(oauthError(400, error, 'what it says'));
      const { message } = await refusal(running);
      expect(message).not.toContain('what it says');
      messages.add(message);
    }
    expect(messages.size).toBe(5);
  });
});

describe('a challenge (WWW-Authenticate)', () => {
  test.each([
    [401, 'Basic realm="as"', '', 'exchange_denied', /^HTTP 401, /],
    [
      401,
      'Bearer error="invalid_token", error_description="expired"',
      '',
      'exchange_token_rejected',
      /invalid_token: expired/,
    ],
    [401, 'DPoP algs="ES256", error="use_dpop_nonce"', '', 'exchange_denied', /use_dpop_nonce/],
    [400, 'Basic realm="as", error="invalid_scope"', '', 'exchange_request_rejected', /invalid_scope/],
    [401, 'Bearer xerror="invalid_token"', '', 'exchange_denied', /^HTTP 401, /],
    [401, '%%% not a challenge', '', 'exchange_denied', /^HTTP 401, /],
    [403, 'Basic realm="proxy"', '<html></html>', 'exchange_response_invalid', /^HTTP 403, /],
    // The body knows better.
    [
      401,
      'Basic realm="as", error="invalid_scope"',
      '{"error":"invalid_grant"}',
      'exchange_token_rejected',
      /invalid_grant/,
    ],
  ] as const)('HTTP %i %s %s is %s', async (status, challenge, body, code, detail) => {
    const headers = { 'WWW-Authenticate': challenge, 'Content-Type': 'application/json' };
    const { running, server } = await exchangeAgainst({ status, body, headers });
    const error = await refusal(running);
    expect(error.code).toBe(code);
    expect(error.detail).toMatch(detail);
    expect(server.tokens.all).toHaveLength(1);
  });
});

describe('a server that says our token back to us', () => {
  const echoes: readonly (readonly [string, (token: string) => HttpScript])[] = [
    ['in its description', (token) => oauthError(400, 'invalid_grant', `bad token ${token} given`)],
    ['in its code', (token) => oauthError(400, token)],
    ['part by part', (token) => oauthError(400, 'invalid_grant', token.split('.').join(' / '))],
    ['without its signature', (token) => oauthError(500, 'x', token.slice(0, token.lastIndexOf('.')))],
    [
      'in a challenge',
      (token) => json(401, {}, { 'WWW-Authenticate': `Bearer error="x", error_description="${token}"` }),
    ],
    ['in HTML', (token) => ({ status: 502, body: `<html>${token}</html>`, headers: { 'Content-Type': 'text/html' } })],
    ['as text', (token) => ({ status: 404, body: token })],
    ['as JSON that is not', (token) => ({ ...json(200, {}), body: `{"${token}` })],
    ['as the type of the content', (token) => ({ status: 400, body: '', headers: { 'Content-Type': token } })],
    ['as the type of the token', (token) => tokenAnswer({ token_type: token })],
    ['as the type of what was issued', (token) => tokenAnswer({ issued_token_type: token })],
    ['as the life of the token', (token) => tokenAnswer({ expires_in: token })],
  ];

  test.each(echoes)('%s: it reaches neither message, nor detail, nor log', async (name, echo) => {
    for (const flow of FLOWS) {
      const server = await startScriptedOAuth();
      const parameter = {
        'token-exchange': 'subject_token',
        'jwt-bearer': 'assertion',
        'client-credentials': 'client_assertion',
      };
      server.onToken = ({ body }) => echo(new URLSearchParams(body).get(parameter[flow]) ?? '');
      const { running, token } = await exchangeOAuth(server, { grant: { flow } });
      const outcome: unknown = await running.then(
        () => undefined,
        (error: unknown) => error,
      );
      // Only in token exchange does anybody look at the type of what was issued.
      expect(outcome === undefined).toBe(name === 'as the type of what was issued' && flow !== 'token-exchange');
      if (outcome === undefined) continue;
      const log = createMemoryLog();
      log.logger.error({ error: outcome }, 'exchange failed');
      expectNoSecrets([errorText(outcome), ...log.lines], [token]);
      expect(server.tokens.all.map(({ url }) => url)).toEqual(server.tokens.all.map(() => '/token'));
    }
  });
});
