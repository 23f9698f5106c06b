import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import { createGcpExchanger } from '../../src/exchange/gcp.ts';
import {
  FEDERATED_TOKEN,
  federatedTokenJson,
  oauthRefusalJson,
  rpcRefusalJson,
  SERVICE_ACCOUNT_TOKEN,
  serviceAccountTokenJson,
} from '../fakes/scripted-google.ts';
import { type ScriptedAnswer, type ScriptedRequest, startScriptedUpstream } from '../fakes/scripted-upstream.ts';
import { FEDERATED_GRANT, IMPERSONATING_GRANT } from '../support/cloud-grants.ts';
import { refusal } from '../support/errors.ts';
import { startExchange } from '../support/running-exchange.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';

const STS = "Google's Security Token Service";
const IAM = 'Google IAM';
const MESSAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  sts: {
    exchange_denied: `${STS} refused: the provider's attribute condition does not admit this SPIFFE ID`,
    exchange_token_rejected: `${STS} does not accept the JWT-SVID: the provider must have its issuer and audience, and map its subject to at most 127 bytes`,
    exchange_request_rejected: `${STS} refused the request: check provider and scopes of the grant`,
    exchange_throttled: `${STS} is throttling`,
    exchange_unavailable: `${STS} cannot be reached or fails`,
    exchange_response_invalid: `${STS} answered with something that is not its protocol`,
  },
  iam: {
    exchange_denied: `${IAM} refused: the service account does not exist, or does not let this SPIFFE ID act as a workload identity user`,
    exchange_token_rejected: `${IAM} does not accept the token of the federated identity`,
    exchange_request_rejected: `${IAM} refused the request: check serviceAccount, scopes and lifetime of the grant`,
    exchange_throttled: `${IAM} is throttling`,
    exchange_unavailable: `${IAM} cannot be reached or fails`,
    exchange_response_invalid: `${IAM} answered with something that is not its protocol`,
  },
};

const contentType = 'application/json; charset=UTF-8';
type Service = 'sts' | 'iam';
type Script = ScriptedAnswer | ((attempt: number, request: ScriptedRequest) => ScriptedAnswer);

/** One exchange in which this service answers so; where it is IAM the one before it is well. */
async function start(service: Service, answer: Script) {
  const federated = { contentType, body: federatedTokenJson() };
  const started = await startExchange({
    makeExchange: async (url, deps) => {
      if (service === 'sts') {
        const exchanger = createGcpExchanger({ ...deps, stsEndpoint: url });
        return (svid, signal) => exchanger.exchange(svid, FEDERATED_GRANT, { signal });
      }
      const sts = await startScriptedUpstream(federated);
      sts.onRequest = () => ({ status: 200, body: federated.body });
      const exchanger = createGcpExchanger({ ...deps, stsEndpoint: sts.url, iamEndpoint: url });
      return (svid, signal) => exchanger.exchange(svid, IMPERSONATING_GRANT, { signal });
    },
    good: service === 'sts' ? federated : { contentType, body: serviceAccountTokenJson() },
    answer,
  });
  started.pump();
  return started;
}

describe('a refusal that will not pass is reported at once', () => {
  test.each<readonly [number, string, ErrorCode]>([
    [400, 'invalid_grant', 'exchange_token_rejected'],
    [401, 'invalid_grant', 'exchange_token_rejected'],
    [400, 'unauthorized_client', 'exchange_denied'],
    [403, 'access_denied', 'exchange_denied'],
    [400, 'invalid_request', 'exchange_request_rejected'],
    [400, 'invalid_target', 'exchange_request_rejected'],
    [400, 'invalid_scope', 'exchange_request_rejected'],
    [401, 'invalid_client', 'exchange_request_rejected'],
    [400, 'unsupported_grant_type', 'exchange_request_rejected'],
    // In no table.
    [400, 'constructor', 'exchange_request_rejected'],
    [403, 'something_new', 'exchange_denied'],
  ])('by the Security Token Service: HTTP %i %s is %s', async (status, wireCode, code) => {
    const { running, upstream } = await start('sts', { status, body: oauthRefusalJson(wireCode) });
    const error = await refusal(running);
    expect(error).toMatchObject({ code, message: MESSAGES['sts']?.[code] });
    expect(error.detail).toBe(`HTTP ${status}, ${wireCode}: what Google says`);
    expect(upstream.requests.all).toHaveLength(1);
  });

  describe.each(['sts', 'iam'] as const)('as Google APIs word it, by %s', (service) => {
    test.each<readonly [number, string, ErrorCode]>([
      [403, 'PERMISSION_DENIED', 'exchange_denied'],
      [401, 'UNAUTHENTICATED', 'exchange_token_rejected'],
      [400, 'INVALID_ARGUMENT', 'exchange_request_rejected'],
      [400, 'FAILED_PRECONDITION', 'exchange_request_rejected'],
      [400, 'OUT_OF_RANGE', 'exchange_request_rejected'],
      [404, 'NOT_FOUND', 'exchange_request_rejected'],
      [403, 'SOMETHING_NEW', 'exchange_denied'],
      [400, '__proto__', 'exchange_request_rejected'],
    ])('HTTP %i %s is %s', async (status, wireCode, code) => {
      const { running, upstream } = await start(service, { status, body: rpcRefusalJson(status, wireCode) });
      const error = await refusal(running);
      expect(error).toMatchObject({ code, message: MESSAGES[service]?.[code] });
      expect(error.detail).toBe(`HTTP ${status}, ${wireCode}: what Google says`);
      expect(upstream.requests.all).toHaveLength(1);
    });
  });
});

describe('trouble that may pass is tried three times in all', () => {
  describe.each(['sts', 'iam'] as const)('by %s', (service) => {
    test.each<readonly [number, string, ErrorCode]>([
      [429, rpcRefusalJson(429, 'RESOURCE_EXHAUSTED'), 'exchange_throttled'],
      [403, rpcRefusalJson(403, 'RESOURCE_EXHAUSTED'), 'exchange_throttled'],
      [503, rpcRefusalJson(503, 'UNAVAILABLE'), 'exchange_unavailable'],
      [500, rpcRefusalJson(500, 'INTERNAL'), 'exchange_unavailable'],
      [409, rpcRefusalJson(409, 'ABORTED'), 'exchange_unavailable'],
      [504, rpcRefusalJson(504, 'DEADLINE_EXCEEDED'), 'exchange_unavailable'],
      [500, rpcRefusalJson(500, 'SOMETHING_NEW'), 'exchange_unavailable'],
      [429, oauthRefusalJson('something_new'), 'exchange_throttled'],
      [400, oauthRefusalJson('temporarily_unavailable'), 'exchange_unavailable'],
      [500, oauthRefusalJson('server_error'), 'exchange_unavailable'],
    ])('HTTP %i with %s is %s', async (status, body, code) => {
      const { running, upstream, waits } = await start(service, { status, body });
      expect(await refusal(running)).toMatchObject({ code, message: MESSAGES[service]?.[code] });
      expect(upstream.requests.all).toHaveLength(3);
      expect(waits).toEqual([150, 300]);
    });
  });
});

describe('an answer that is no usable token is refused, once and for all', () => {
  const federated: readonly (readonly [string, Service, string])[] = [
    ['no token', 'sts', federatedTokenJson({ access_token: undefined })],
    ['a token of two lines', 'sts', federatedTokenJson({ access_token: `${FEDERATED_TOKEN}\r\nHost: evil` })],
    ['no lifetime', 'sts', federatedTokenJson({ expires_in: undefined })],
    ['no life left', 'sts', federatedTokenJson({ expires_in: 0 })],
    ['a lifetime that is a text', 'sts', federatedTokenJson({ expires_in: '3599' })],
    ['a token of another type', 'sts', federatedTokenJson({ token_type: 'N_A' })],
    ['what IAM would answer', 'sts', serviceAccountTokenJson()],
    ['a refusal', 'sts', oauthRefusalJson('invalid_grant')],
    ['null', 'sts', 'null'],
    ['no token', 'iam', serviceAccountTokenJson({ accessToken: undefined })],
    ['an empty token', 'iam', serviceAccountTokenJson({ accessToken: '' })],
    ['a token of two lines', 'iam', serviceAccountTokenJson({ accessToken: `${SERVICE_ACCOUNT_TOKEN}\n` })],
    ['no time', 'iam', serviceAccountTokenJson({ expireTime: undefined })],
    ['a time that is none', 'iam', serviceAccountTokenJson({ expireTime: 'tomorrow' })],
    ['a time that does not exist', 'iam', serviceAccountTokenJson({ expireTime: '2126-13-45T99:99:99Z' })],
    ['a time without its zone', 'iam', serviceAccountTokenJson({ expireTime: '2126-11-22T13:00:00' })],
    ['a time in seconds', 'iam', serviceAccountTokenJson({ expireTime: 4_951_000_000 })],
    ['what the Security Token Service would answer', 'iam', federatedTokenJson()],
    ['a refusal', 'iam', rpcRefusalJson(403, 'PERMISSION_DENIED')],
    ['null', 'iam', 'null'],
  ];

  test.each(federated)('%s, of %s', async (_, service, body) => {
    const { running, upstream, token } = await start(service, { status: 200, body });
    const error = await refusal(running);
    const code = 'exchange_response_invalid';
    expect(error).toMatchObject({ code, message: MESSAGES[service]?.[code] });
    expect(error.detail).toBe(`HTTP 200, application/json; charset=UTF-8, ${body.length} bytes`);
    expect(upstream.requests.all).toHaveLength(1);
    expectNoSecrets(errorText(error), [token, FEDERATED_TOKEN, SERVICE_ACCOUNT_TOKEN]);
  });

  test.each(['2026-11-22T12:00:00Z', '2026-11-22T12:59:59+01:00', '1970-01-01T00:00:00Z'])(
    'a token that expired at %s',
    async (expireTime) => {
      const { running } = await start('iam', { status: 200, body: serviceAccountTokenJson({ expireTime }) });
      const error = await refusal(running);
      expect(error.code).toBe('exchange_response_invalid');
      expect(error.detail).toBe(`it expired at ${new Date(expireTime).toISOString()}; check the clocks`);
    },
  );

  test.each(['2026-11-22T12:00:01Z', '2026-11-22T13:00:00.5+01:00', '2026-11-22T12:00:00.045123456Z'])(
    'but one that is good until %s is taken',
    async (expireTime) => {
      const { running } = await start('iam', { status: 200, body: serviceAccountTokenJson({ expireTime }) });
      expect((await running).expiresAt).toBe(Date.parse(expireTime));
    },
  );
});

describe('an upstream that says our tokens back to us', () => {
  const echoes: readonly (readonly [string, Service, (token: string) => ScriptedAnswer])[] = [
    ['as a description', 'sts', (token) => ({ status: 400, body: oauthRefusalJson('invalid_grant', token) })],
    ['as an error', 'sts', (token) => ({ status: 400, body: oauthRefusalJson(token) })],
    ['part by part', 'sts', (token) => ({ status: 400, body: oauthRefusalJson('x', token.split('.').join(' / ')) })],
    ['as text', 'sts', (token) => ({ status: 400, body: token })],
    ['as a message', 'iam', (token) => ({ status: 403, body: rpcRefusalJson(403, 'PERMISSION_DENIED', token) })],
    ['as a status', 'iam', (token) => ({ status: 403, body: rpcRefusalJson(403, token) })],
    ['as a time', 'iam', (token) => ({ status: 200, body: serviceAccountTokenJson({ expireTime: token }) })],
    ['as a redirect', 'iam', (token) => ({ status: 302, body: '', headers: { Location: `/?t=${token}` } })],
  ];

  test.each(echoes)('%s, by %s: they reach neither message nor detail', async (_, service, echo) => {
    const { running, token } = await start(service, (_attempt, { body, headers }) =>
      echo(new URLSearchParams(body).get('subject_token') ?? String(headers['authorization'])),
    );
    const error = await refusal(running);
    expectNoSecrets(errorText(error), [token, FEDERATED_TOKEN]);
    expect(error.detail).not.toBe('');
  });
});
