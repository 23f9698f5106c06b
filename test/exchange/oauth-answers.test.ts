import { describe, expect, test } from 'vitest';
import type { OAuthGrant } from '../../src/credentials/grants/oauth.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusal } from '../support/errors.ts';
import { ACCESS_TOKEN, exchangeOAuth, type HttpScript, startScriptedOAuth, tokenAnswer } from '../support/oauth.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';

/** When the clock of `exchangeOAuth` stands. */
const NOW = Date.parse('2026-11-22T12:00:00Z');

async function exchangeAgainst(answer: HttpScript, flow: OAuthGrant['flow'] = 'token-exchange') {
  const server = await startScriptedOAuth();
  server.onToken = () => answer;
  return exchangeOAuth(server, { grant: { flow } });
}

describe('a usable answer', () => {
  test('becomes a bearer token that prints as nothing', async () => {
    const credentials = await (await exchangeAgainst(tokenAnswer())).running;
    expect(credentials).toEqual({
      kind: 'oauth',
      token: expect.anything(),
      tokenType: 'Bearer',
      expiresAt: NOW + 600_000,
    });
    expect(Object.isFrozen(credentials)).toBe(true);
    expect(credentials.kind === 'oauth' && credentials.token.reveal()).toBe(ACCESS_TOKEN);
    expectNoSecrets(JSON.stringify(credentials), [ACCESS_TOKEN]);
  });

  test.each([
    ['the least', { expires_in: 1 }, 1_000],
    ['parts of a second', { expires_in: 1.5 }, 1_500],
    ['a number as text, which some servers send', { expires_in: '600' }, 600_000],
    ['no life: five minutes', { expires_in: undefined }, 300_000],
    ['a day', { expires_in: 86_400 }, 86_400_000],
    ['more than a day: a day', { expires_in: 86_401 }, 86_400_000],
    ['a hundred years: a day', { expires_in: 3_155_760_000 }, 86_400_000],
    ['a number beyond all time: a day', { expires_in: 1e300 }, 86_400_000],
  ])('lives for as long as it says: %s', async (_, changes, life) => {
    const credentials = await (await exchangeAgainst(tokenAnswer(changes))).running;
    expect(credentials.expiresAt - NOW).toBe(life);
  });

  test.each([
    ['a token type in another case', { token_type: 'bEARER' }],
    ['an issued JWT', { issued_token_type: 'urn:ietf:params:oauth:token-type:jwt' }],
    ['a refresh token, which is not kept', { refresh_token: 'refresh-me' }],
    ['a narrower scope', { scope: '' }],
    ['members that nobody knows', { x: { y: [1] } }],
    ['any visible ASCII as the token', { access_token: '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~' }],
  ])('may have %s', async (_, changes) => {
    const credentials = await (await exchangeAgainst(tokenAnswer(changes))).running;
    expect(credentials).toMatchObject({ kind: 'oauth', tokenType: 'Bearer' });
    expect(JSON.stringify(credentials)).not.toContain('refresh-me');
  });

  test.each(['jwt-bearer', 'client-credentials'] as const)('needs no issued_token_type in flow %s', async (flow) => {
    const { running } = await exchangeAgainst(tokenAnswer({ issued_token_type: undefined }), flow);
    expect((await running).kind).toBe('oauth');
  });
});

describe('an answer that is no usable access token is refused, once and for all', () => {
  test.each([
    ['no access token', { access_token: undefined }],
    ['an empty access token', { access_token: '' }],
    ['an access token that is no text', { access_token: 7 }],
    ['an access token with a line end', { access_token: 'secret-of-the-token\r\nX: y' }],
    ['an access token with a space', { access_token: 'secret-of-the-token x' }],
    ['an access token beyond ASCII', { access_token: 'secret-of-the-tokenä' }],
    ['no token type', { token_type: undefined }],
    ['an empty token type', { token_type: '' }],
    ['a MAC token', { token_type: 'mac' }],
    ['a DPoP token, for which no key is at hand', { token_type: 'DPoP' }],
    ['something that is no access token', { token_type: 'N_A' }],
    ['a life below 0', { expires_in: -1 }],
    ['a life of 0', { expires_in: 0 }],
    ['a life that is no number', { expires_in: 'soon' }],
    ['a life that is empty', { expires_in: '' }],
    ['a life that is null', { expires_in: null }],
    ['a life that is an object', { expires_in: {} }],
    ['no issued token type', { issued_token_type: undefined }],
    ['an issued refresh token', { issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
    ['an issued ID token', { issued_token_type: 'urn:ietf:params:oauth:token-type:id_token' }],
    ['an issued SAML assertion', { issued_token_type: 'urn:ietf:params:oauth:token-type:saml2' }],
    ['an issued token type that is a list', { issued_token_type: ['urn:ietf:params:oauth:token-type:jwt'] }],
    ['a scope that is no text', { scope: ['read'] }],
    ['an ID token that is none', { id_token: 'x' }],
  ])('%s', async (_, changes) => {
    const { running, server, token } = await exchangeAgainst(tokenAnswer(changes));
    const error = await refusal(running);
    expect(error.code).toBe('exchange_response_invalid');
    expect(error.message).toMatch(/^the authorization server answered with/);
    expect(error.detail).not.toBe('');
    expect(server.tokens.all).toHaveLength(1);
    const log = createMemoryLog();
    log.logger.error({ error }, 'exchange failed');
    expectNoSecrets([errorText(error), ...log.lines], [token, ACCESS_TOKEN, 'secret-of-the-token']);
  });

  test.each([
    ['a number beyond numbers', '{"access_token":"a","token_type":"Bearer","expires_in":1e999}'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['null', 'null'],
    ['JSON with something behind it', `{"access_token":"${ACCESS_TOKEN}"} x`],
    ['a byte order mark', `\uFEFF{"access_token":"${ACCESS_TOKEN}","token_type":"Bearer"}`],
  ])('%s', async (_, body) => {
    const { running } = await exchangeAgainst({ status: 200, body, headers: { 'Content-Type': 'application/json' } });
    const error = await refusal(running);
    expect(error.code).toBe('exchange_response_invalid');
    expectNoSecrets(errorText(error), [ACCESS_TOKEN]);
  });

  test.each([
    ['DPoP', { token_type: 'DPoP' }, 'token_type is dpop; only Bearer can be handed out'],
    ['N_A', { token_type: 'N_A' }, 'token_type is n_a; only Bearer can be handed out'],
    [
      'nothing',
      { issued_token_type: undefined },
      'issued_token_type is undefined; only an access token or a JWT can be handed out',
    ],
  ])('and the detail says why: %s', async (_, changes, detail) => {
    const { running } = await exchangeAgainst(tokenAnswer(changes));
    expect(await refusal(running)).toMatchObject({
      message: 'the authorization server answered without a usable access token',
      detail,
    });
  });

  test.each([201, 202, 203, 204, 205, 206, 304])('a good token with status %i', async (status) => {
    const { running, server } = await exchangeAgainst({ ...tokenAnswer(), status });
    expect((await refusal(running)).code).toBe('exchange_response_invalid');
    expect(server.tokens.all).toHaveLength(1);
  });
});
