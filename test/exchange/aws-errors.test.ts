import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import { createAwsExchanger } from '../../src/exchange/aws.ts';
import { createRecordingClock } from '../fakes/recording-clock.ts';
import { credentialsXml, refusalXml, type StsAnswer, startScriptedSts } from '../fakes/scripted-sts.ts';
import { refusal } from '../support/errors.ts';
import { exchangeOnce, MODELS_GRANT, subjectToken } from '../support/exchange.ts';

const DENIED =
  'AWS STS refused: the role does not exist, or its trust policy does not allow this SPIFFE ID and audience';
const TOKEN_REJECTED =
  'AWS STS does not accept the JWT-SVID: its issuer must be an OIDC provider of the account, with this audience';
const REQUEST_REJECTED =
  'AWS STS refused the request: check roleArn, region, duration and session policies of the grant';
const THROTTLED = 'AWS STS is throttling';
const UNAVAILABLE = 'AWS STS cannot be reached or fails';
const NOT_STS = 'AWS STS answered with something that is not its protocol';

function refused(status: number, code: string, message = 'x'): StsAnswer {
  return { status, body: refusalXml(code, message) };
}

/** STS API reference: AssumeRoleWithWebIdentity and common errors; facts/aws.md section 3. */
const FINAL: readonly (readonly [number, string, ErrorCode, string])[] = [
  [400, 'ExpiredTokenException', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'ExpiredToken', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'InvalidIdentityToken', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'InvalidIdentityTokenException', 'exchange_token_rejected', TOKEN_REJECTED],
  [403, 'IDPRejectedClaim', 'exchange_token_rejected', TOKEN_REJECTED],
  [403, 'IDPRejectedClaimException', 'exchange_token_rejected', TOKEN_REJECTED],
  [400, 'MalformedPolicyDocument', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'MalformedPolicyDocumentException', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'PackedPolicyTooLarge', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'PackedPolicyTooLargeException', 'exchange_request_rejected', REQUEST_REJECTED],
  [403, 'RegionDisabledException', 'exchange_request_rejected', REQUEST_REJECTED],
  [403, 'RegionDisabled', 'exchange_request_rejected', REQUEST_REJECTED],
  [403, 'AccessDenied', 'exchange_denied', DENIED],
  [403, 'AccessDeniedException', 'exchange_denied', DENIED],
  [400, 'ValidationError', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'ValidationErrorException', 'exchange_request_rejected', REQUEST_REJECTED],
  // Codes that are in no table are told by their status.
  [400, 'InvalidAction', 'exchange_request_rejected', REQUEST_REJECTED],
  [403, 'OptInRequired', 'exchange_denied', DENIED],
  [418, 'Teapot', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, '__proto__', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'constructor', 'exchange_request_rejected', REQUEST_REJECTED],
  [400, 'Exception', 'exchange_request_rejected', REQUEST_REJECTED],
];

const PASSING: readonly (readonly [number, string, ErrorCode, string])[] = [
  [400, 'IDPCommunicationError', 'exchange_unavailable', UNAVAILABLE],
  [400, 'IDPCommunicationErrorException', 'exchange_unavailable', UNAVAILABLE],
  [400, 'Throttling', 'exchange_throttled', THROTTLED],
  [400, 'ThrottlingException', 'exchange_throttled', THROTTLED],
  [429, 'RequestLimitExceeded', 'exchange_throttled', THROTTLED],
  [429, 'TooManyRequestsException', 'exchange_throttled', THROTTLED],
  [429, 'Whatever', 'exchange_throttled', THROTTLED],
  [500, 'InternalFailure', 'exchange_unavailable', UNAVAILABLE],
  [500, 'InternalFailureException', 'exchange_unavailable', UNAVAILABLE],
  [500, 'InternalError', 'exchange_unavailable', UNAVAILABLE],
  [503, 'ServiceUnavailable', 'exchange_unavailable', UNAVAILABLE],
  [503, 'ServiceUnavailableException', 'exchange_unavailable', UNAVAILABLE],
  [503, 'Whatever', 'exchange_unavailable', UNAVAILABLE],
];

describe('a refusal that will not pass is reported at once', () => {
  test.each(FINAL)('HTTP %i %s is %s', async (status, wireCode, code, message) => {
    const { running, sts } = await exchangeOnce(refused(status, wireCode, 'what STS says'));
    const error = await refusal(running);
    expect(error).toMatchObject({ code, message });
    expect(error.detail).toMatch(new RegExp(`^HTTP ${status}, .*: what STS says$`));
    expect(sts.requests.all).toHaveLength(1);
  });
});

describe('trouble that may pass is tried three times in all, with a growing wait, and then reported', () => {
  test.each(PASSING)('HTTP %i %s is %s', async (status, wireCode, code, message) => {
    const { running, sts, waits } = await exchangeOnce(refused(status, wireCode));
    expect(await refusal(running)).toMatchObject({ code, message });
    expect(sts.requests.all).toHaveLength(3);
    expect(waits).toEqual([150, 300]);
  });

  test('keys of the issuer that STS could not fetch in time, which it calls an invalid token', async () => {
    const said =
      "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements";
    const { running, sts } = await exchangeOnce(refused(400, 'InvalidIdentityToken', said));
    expect(await refusal(running)).toMatchObject({ code: 'exchange_unavailable', message: UNAVAILABLE });
    expect(sts.requests.all).toHaveLength(3);
  });

  test('the upper half of each wait is random', async () => {
    const { running, waits } = await exchangeOnce(refused(503, 'ServiceUnavailable'), { random: 0 });
    await refusal(running);
    expect(waits).toEqual([100, 200]);
  });

  test.each([2, 3])('and an attempt that goes well ends it: number %i', async (good) => {
    const { running, sts } = await exchangeOnce((attempt) =>
      attempt === good ? { status: 200, body: credentialsXml() } : refused(503, 'ServiceUnavailable'),
    );
    expect((await running).kind).toBe('aws');
    expect(sts.requests.all).toHaveLength(good);
    expect(new Set(sts.requests.all.map(({ body }) => body)).size).toBe(1);
  });

  test('and a refusal after trouble is final', async () => {
    const { running, sts } = await exchangeOnce((attempt) =>
      attempt === 1 ? refused(503, 'ServiceUnavailable') : refused(403, 'AccessDenied'),
    );
    expect((await refusal(running)).code).toBe('exchange_denied');
    expect(sts.requests.all).toHaveLength(2);
  });

  test('and whoever gives up during a wait is let go', async () => {
    const sts = await startScriptedSts();
    sts.onRequest = () => refused(503, 'ServiceUnavailable');
    const clock = createRecordingClock();
    const abort = new AbortController();
    const exchanger = createAwsExchanger({ clock, random: () => 0.5, endpoint: sts.url });
    const running = exchanger.exchange(await subjectToken(), MODELS_GRANT, { signal: abort.signal });
    await clock.nextDelay();
    const reason = new Error('given up');
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(clock.timers).toBe(0);
    expect(sts.requests.all).toHaveLength(1);
  });
});

describe('what stands between us and STS answers instead', () => {
  test.each([
    [502, '<html><body>Bad gateway<br></body></html>', 'exchange_unavailable', UNAVAILABLE, 3],
    [503, 'Service Unavailable', 'exchange_unavailable', UNAVAILABLE, 3],
    [504, '', 'exchange_unavailable', UNAVAILABLE, 3],
    [500, '{"error":"x"}', 'exchange_unavailable', UNAVAILABLE, 3],
    [429, 'slow down', 'exchange_throttled', THROTTLED, 3],
    [429, '', 'exchange_throttled', THROTTLED, 3],
    [400, '', 'exchange_response_invalid', NOT_STS, 1],
    [403, '<html><body>Blocked by the proxy</body></html>', 'exchange_response_invalid', NOT_STS, 1],
    [404, 'not found', 'exchange_response_invalid', NOT_STS, 1],
    [407, '', 'exchange_response_invalid', NOT_STS, 1],
    [
      400,
      '<ErrorResponse><Error><Message>no code</Message></Error></ErrorResponse>',
      'exchange_response_invalid',
      NOT_STS,
      1,
    ],
  ] as const)('HTTP %i with %j is %s', async (status, body, code, message, tries) => {
    const { running, sts } = await exchangeOnce({ status, body });
    const error = await refusal(running);
    expect(error).toMatchObject({ code, message });
    expect(error.detail).toMatch(new RegExp(`^HTTP ${status}, `));
    expect(sts.requests.all).toHaveLength(tries);
  });

  test.each([301, 302, 303, 307, 308])(
    'a redirect (%i) is not followed: the token goes nowhere else',
    async (status) => {
      const other = await startScriptedSts();
      other.onRequest = () => ({ status: 200, body: credentialsXml() });
      const { running, sts } = await exchangeOnce({ status, body: '', headers: { Location: `${other.url}/` } });
      expect(await refusal(running)).toMatchObject({ code: 'exchange_response_invalid', message: NOT_STS });
      expect(sts.requests.all).toHaveLength(1);
      expect(other.requests.all).toEqual([]);
    },
  );
});
