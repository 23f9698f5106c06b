import { describe, expect, test } from 'vitest';
import { createAwsExchanger } from '../../src/exchange/aws.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { createRecordingClock } from '../fakes/recording-clock.ts';
import { credentialsXml, refusalXml, type StsAnswer } from '../fakes/scripted-sts.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { exchangeOnce, MODELS_GRANT, subjectToken } from '../support/exchange.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';

const UNAVAILABLE = 'AWS STS cannot be reached or fails';
const NOT_STS = 'AWS STS answered with something that is not its protocol';

function refused(status: number, code: string, message = 'x'): StsAnswer {
  return { status, body: refusalXml(code, message) };
}

describe('the connection', () => {
  test.each(['reset', 'reset within the body'] as const)('%s: tried again, then unavailable', async (answer) => {
    const { running, sts } = await exchangeOnce(answer);
    const error = await refusal(running);
    expect(error).toMatchObject({ code: 'exchange_unavailable', message: UNAVAILABLE });
    expect(error.detail).toContain('ECONNRESET');
    expect(sts.requests.all).toHaveLength(3);
  });

  test('reset once within the body: the next attempt brings the credentials', async () => {
    const { running, sts } = await exchangeOnce((attempt) =>
      attempt === 1 ? 'reset within the body' : { status: 200, body: credentialsXml() },
    );
    expect((await running).kind).toBe('aws');
    expect(sts.requests.all).toHaveLength(2);
  });

  test('refused: tried again, then unavailable, and the detail says why', async () => {
    const clock = createRecordingClock();
    const exchanger = createAwsExchanger({ clock, random: () => 0.5, endpoint: 'http://127.0.0.1:1' });
    const running = refusal(exchanger.exchange(await subjectToken(), MODELS_GRANT, { signal: unaborted() }));
    for (const expected of [150, 300]) {
      expect(await clock.nextDelay()).toBe(expected);
      await clock.advance(expected);
    }
    const error = await running;
    expect(error).toMatchObject({ code: 'exchange_unavailable', message: UNAVAILABLE });
    expect(error.detail).toContain('ECONNREFUSED');
  });

  test.each(['hang', 'hang within the body'] as const)(
    '%s: ends when the caller gives up, at the server too',
    async (answer) => {
      const abort = new AbortController();
      const { running, sts } = await exchangeOnce(answer, { signal: abort.signal });
      const request = await sts.requests.next();
      const reason = new Error('given up');
      abort.abort(reason);
      await expect(running).rejects.toBe(reason);
      await request.closed;
      expect(sts.requests.all).toHaveLength(1);
    },
  );

  test('a body without end is given up, and the connection with it', async () => {
    const { running, sts } = await exchangeOnce('endless body');
    const error = await refusal(running);
    expect(error).toMatchObject({ code: 'exchange_response_invalid', message: NOT_STS });
    expect(error.detail).toContain('the answer is longer than 262144 bytes');
    await (await sts.requests.next()).closed;
  });
});

describe('an upstream that says our token back to us', () => {
  const echoes: readonly (readonly [string, (token: string) => StsAnswer])[] = [
    ['in its message', (token) => refused(400, 'InvalidIdentityToken', `bad token ${token} given`)],
    ['in its code', (token) => refused(400, token)],
    ['part by part', (token) => refused(403, 'AccessDenied', token.split('.').join(' / '))],
    ['without its signature', (token) => refused(500, 'InternalFailure', token.slice(0, token.lastIndexOf('.')))],
    ['in HTML', (token) => ({ status: 502, body: `<html><b>${token}</b><br></html>` })],
    ['as text', (token) => ({ status: 404, body: token })],
    ['as the expiration', (token) => ({ status: 200, body: credentialsXml({ Expiration: token }) })],
    ['as the name of an element', (token) => ({ status: 200, body: `<x><a${token}></x>` })],
  ];

  test.each(echoes)('%s: it reaches neither message, nor detail, nor log', async (_, echo) => {
    const { running, token } = await exchangeOnce((_attempt, { body }) =>
      echo(new URLSearchParams(body).get('WebIdentityToken') ?? ''),
    );
    const error = await refusal(running);
    const log = createMemoryLog();
    log.logger.error({ error }, 'exchange failed');
    expectNoSecrets([errorText(error), ...log.lines], [token]);
    expect(error.detail).not.toBe('');
  });
});
