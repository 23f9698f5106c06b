import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import { createAzureExchanger } from '../../src/exchange/azure.ts';
import { ENTRA_ACCESS_TOKEN, entraRefusalJson, entraTokenJson } from '../fakes/scripted-entra.ts';
import type { ScriptedAnswer, ScriptedRequest } from '../fakes/scripted-upstream.ts';
import { blobsGrant } from '../support/cloud-grants.ts';
import { refusal } from '../support/errors.ts';
import { startExchange } from '../support/running-exchange.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';

const DENIED = 'Entra ID refused: no federated credential of the application names this SPIFFE ID';
const TOKEN_REJECTED =
  'Entra ID does not accept the JWT-SVID: a federated credential must name its issuer and audience, and it must be signed with RS256';
const REQUEST_REJECTED = 'Entra ID refused the request: check tenantId, clientId and scope of the grant';
const THROTTLED = 'Entra ID is throttling';
const UNAVAILABLE = 'Entra ID cannot be reached or fails';
const NOT_ENTRA = 'Entra ID answered with something that is not its protocol';

const good = { contentType: 'application/json; charset=utf-8', body: entraTokenJson() };

async function start(answer: ScriptedAnswer | ((attempt: number, request: ScriptedRequest) => ScriptedAnswer)) {
  const started = await startExchange({
    makeExchange: async (url, deps) => {
      const exchanger = createAzureExchanger(deps);
      return (svid, signal) => exchanger.exchange(svid, blobsGrant(url), { signal });
    },
    good,
    answer,
  });
  started.pump();
  return started;
}

const refused = (status: number, error: string, ...codes: number[]): ScriptedAnswer => ({
  status,
  body: entraRefusalJson(error, codes),
});

describe('a refusal that will not pass is reported at once, by its number', () => {
  const FINAL: readonly (readonly [number, string, number, ErrorCode, string])[] = [
    [400, 'invalid_request', 700211, 'exchange_token_rejected', TOKEN_REJECTED],
    [401, 'invalid_client', 700211, 'exchange_token_rejected', TOKEN_REJECTED],
    [401, 'invalid_client', 700212, 'exchange_token_rejected', TOKEN_REJECTED],
    [401, 'invalid_client', 7002121, 'exchange_token_rejected', TOKEN_REJECTED],
    [401, 'invalid_client', 700213, 'exchange_denied', DENIED],
    [400, 'invalid_request', 700213, 'exchange_denied', DENIED],
    [401, 'invalid_client', 7002131, 'exchange_denied', DENIED],
    [401, 'invalid_client', 50027, 'exchange_token_rejected', TOKEN_REJECTED],
    [401, 'invalid_client', 700024, 'exchange_token_rejected', TOKEN_REJECTED],
    [401, 'invalid_client', 700027, 'exchange_token_rejected', TOKEN_REJECTED],
    [400, 'invalid_request', 700222, 'exchange_token_rejected', TOKEN_REJECTED],
    [400, 'invalid_request', 700223, 'exchange_token_rejected', TOKEN_REJECTED],
    [400, 'invalid_request', 700227, 'exchange_token_rejected', TOKEN_REJECTED],
    [400, 'unauthorized_client', 700016, 'exchange_request_rejected', REQUEST_REJECTED],
    [400, 'invalid_request', 90002, 'exchange_request_rejected', REQUEST_REJECTED],
    [401, 'invalid_client', 7000215, 'exchange_request_rejected', REQUEST_REJECTED],
    [401, 'invalid_client', 7000222, 'exchange_request_rejected', REQUEST_REJECTED],
    [400, 'invalid_resource', 500011, 'exchange_request_rejected', REQUEST_REJECTED],
    [400, 'invalid_scope', 70011, 'exchange_request_rejected', REQUEST_REJECTED],
    // Numbers that are in no table.
    [400, 'invalid_request', 900144, 'exchange_request_rejected', REQUEST_REJECTED],
    [403, 'access_denied', 1, 'exchange_request_rejected', REQUEST_REJECTED],
  ];

  test.each(FINAL)('HTTP %i %s with %i is %s', async (status, error, number, code, message) => {
    const { running, upstream } = await start(refused(status, error, number));
    const thrown = await refusal(running);
    expect(thrown).toMatchObject({ code, message });
    expect(thrown.detail).toBe(
      `HTTP ${status}, ${error}, trace 0f1e0000-0000-4000-8000-000000000000: AADSTS${number}: what Entra says Trace ID: 0f1e Correlation ID: 2d3c Timestamp: 2026-11-22 12:00:00Z`,
    );
    expect(upstream.requests.all).toHaveLength(1);
  });

  test('of several numbers by the first that is known', async () => {
    const { running } = await start(refused(400, 'invalid_client', 1, 700213, 700024));
    expect((await refusal(running)).code).toBe('exchange_denied');
  });

  test.each([
    ['no numbers at all', { error_codes: undefined }],
    ['an empty list', { error_codes: [] }],
  ])('not by its text, which says another number: %s', async (_, fields) => {
    const body = JSON.stringify({
      error: 'invalid_client',
      error_description: 'AADSTS70021: No matching federated identity record found for presented assertion.',
      ...fields,
    });
    const { running, upstream } = await start({ status: 400, body });
    expect((await refusal(running)).code).toBe('exchange_request_rejected');
    expect(upstream.requests.all).toHaveLength(1);
  });
});

describe('trouble that may pass is tried three times in all', () => {
  test.each([
    // No federated credential at all, or one that is not known everywhere yet.
    [400, 'invalid_request', 70021, 'exchange_denied', DENIED],
    [401, 'invalid_client', 70021, 'exchange_denied', DENIED],
    [400, 'invalid_client', 50166, 'exchange_unavailable', UNAVAILABLE],
    [400, 'invalid_grant', 50196, 'exchange_throttled', THROTTLED],
    [429, 'temporarily_unavailable', 90055, 'exchange_throttled', THROTTLED],
    [400, 'temporarily_unavailable', 90033, 'exchange_unavailable', UNAVAILABLE],
    [500, 'server_error', 90033, 'exchange_unavailable', UNAVAILABLE],
    [503, 'invalid_client', 1, 'exchange_unavailable', UNAVAILABLE],
  ] as const)('HTTP %i %s with %i is %s', async (status, error, number, code, message) => {
    const { running, upstream, waits } = await start(refused(status, error, number));
    expect(await refusal(running)).toMatchObject({ code, message });
    expect(upstream.requests.all).toHaveLength(3);
    expect(waits).toEqual([150, 300]);
  });

  test('a federated credential that becomes known meanwhile', async () => {
    const { running, upstream } = await start((attempt) =>
      attempt < 3 ? refused(400, 'invalid_request', 70021) : { status: 200, body: good.body },
    );
    expect((await running).kind).toBe('azure');
    expect(upstream.requests.all).toHaveLength(3);
  });

  test('and a pause that is asked for once is made once', async () => {
    const { running, upstream, waits } = await start((attempt) =>
      attempt === 1 ? { status: 429, body: '', headers: { 'Retry-After': '2' } } : 'reset',
    );
    expect((await refusal(running)).code).toBe('exchange_unavailable');
    expect(upstream.requests.all).toHaveLength(3);
    expect(waits).toEqual([2150, 300]);
  });

  test('and a refusal after trouble is final', async () => {
    const { running, upstream } = await start((attempt) =>
      attempt === 1 ? refused(503, 'temporarily_unavailable', 1) : refused(401, 'invalid_client', 700024),
    );
    expect((await refusal(running)).code).toBe('exchange_token_rejected');
    expect(upstream.requests.all).toHaveLength(2);
  });
});

describe('an answer that is no usable token is refused, once and for all', () => {
  test.each([
    ['no token', entraTokenJson({ access_token: undefined })],
    ['an empty token', entraTokenJson({ access_token: '' })],
    ['a token of two lines', entraTokenJson({ access_token: `${ENTRA_ACCESS_TOKEN}\r\nHost: evil.example.org` })],
    ['a token with a space', entraTokenJson({ access_token: `${ENTRA_ACCESS_TOKEN} x` })],
    ['a token beyond ASCII', entraTokenJson({ access_token: `${ENTRA_ACCESS_TOKEN}ü` })],
    ['a token that is a number', entraTokenJson({ access_token: 5 })],
    ['no lifetime', entraTokenJson({ expires_in: undefined })],
    ['no life left', entraTokenJson({ expires_in: 0 })],
    ['a life that is over', entraTokenJson({ expires_in: -1 })],
    ['a lifetime that is a text', entraTokenJson({ expires_in: 'soon' })],
    ['a lifetime that is a fraction', entraTokenJson({ expires_in: 1.5 })],
    ['a lifetime that no date can hold', entraTokenJson({ expires_in: 1e15 })],
    ['a token that is bound to a key', entraTokenJson({ token_type: 'pop' })],
    ['no type of token', entraTokenJson({ token_type: undefined })],
    ['a refusal', entraRefusalJson('invalid_client', [700213])],
    ['a list', `[${entraTokenJson()}]`],
    ['null', 'null'],
  ])('%s', async (_, body) => {
    const { running, upstream, token } = await start({ status: 200, body });
    const error = await refusal(running);
    expect(error).toMatchObject({ code: 'exchange_response_invalid', message: NOT_ENTRA });
    expect(error.detail).toBe(`HTTP 200, application/json; charset=utf-8, ${Buffer.byteLength(body)} bytes`);
    expect(upstream.requests.all).toHaveLength(1);
    expectNoSecrets(errorText(error), [token, ENTRA_ACCESS_TOKEN]);
  });

  test.each([201, 204, 304, 400, 401])('a good answer with status %i', async (status) => {
    const { running } = await start({ status, body: good.body });
    const error = await refusal(running);
    expect(error.code).toBe('exchange_response_invalid');
    expectNoSecrets(errorText(error), [ENTRA_ACCESS_TOKEN]);
  });
});

describe('an upstream that says our token back to us', () => {
  const echoes: readonly (readonly [string, (token: string) => ScriptedAnswer])[] = [
    ['in its description', (token) => ({ status: 400, body: entraRefusalJson('invalid_client', [50027], token) })],
    ['in its error', (token) => refused(400, token, 50027)],
    ['as its trace', (token) => ({ status: 400, body: JSON.stringify({ error: 'x', trace_id: token }) })],
    ['part by part', (token) => ({ status: 400, body: entraRefusalJson('x', [1], token.split('.').join(' / ')) })],
    ['as text', (token) => ({ status: 400, body: token })],
    ['as its content type', (token) => ({ status: 400, body: '', headers: { 'Content-Type': token } })],
    ['as a redirect', (token) => ({ status: 302, body: '', headers: { Location: `/?t=${token}` } })],
    ['as a lifetime', (token) => ({ status: 200, body: entraTokenJson({ expires_in: token }) })],
  ];

  test.each(echoes)('%s: it reaches neither message nor detail', async (_, echo) => {
    const { running, token } = await start((_attempt, { body }) =>
      echo(new URLSearchParams(body).get('client_assertion') ?? ''),
    );
    const error = await refusal(running);
    expectNoSecrets(errorText(error), [token]);
    expect(error.detail).not.toBe('');
  });
});
