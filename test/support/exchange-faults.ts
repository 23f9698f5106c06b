import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { createRecordingClock } from '../fakes/recording-clock.ts';
import type { GoodAnswer, ScriptedAnswer } from '../fakes/scripted-upstream.ts';
import { refusal } from './errors.ts';
import { subjectToken } from './exchange.ts';
import { type MakeExchange, nextWait, startExchange } from './running-exchange.ts';
import { errorText, expectNoSecrets } from './secrets.ts';

export interface FaultOptions {
  readonly good: GoodAnswer;
  /** What the credentials of the good answer hold that must not be told. */
  readonly secrets: readonly string[];
  /** For adapters whose SDK keeps the connection: what theirs does differently. */
  readonly connectionOfSdk?: boolean;
}

interface Fault {
  readonly name: string;
  readonly answer: ScriptedAnswer;
  readonly code: ErrorCode;
  readonly attempts: number;
  /** Milliseconds of each wait between attempts. */
  readonly waits?: readonly number[];
  readonly detail?: string;
}

const TRIED_AGAIN = { attempts: 3, waits: [150, 300] };
const FINAL = { attempts: 1, waits: [] };

/** What every target may do to every adapter. */
function commonFaults(good: GoodAnswer): readonly Fault[] {
  const html = '<html><body>Welcome<br></body></html>';
  return [
    {
      name: 'cuts the connection',
      answer: 'reset',
      code: 'exchange_unavailable',
      ...TRIED_AGAIN,
      detail: 'ECONNRESET',
    },
    {
      name: 'cuts its answer short',
      answer: 'reset within the body',
      code: 'exchange_unavailable',
      ...TRIED_AGAIN,
      detail: 'ECONNRESET',
    },
    {
      name: 'sends a body without end',
      answer: 'endless body',
      code: 'exchange_response_invalid',
      ...FINAL,
      detail: 'the answer is longer than 262144 bytes',
    },
    ...[301, 302, 303, 307, 308].map(
      (status): Fault => ({
        name: `redirects with ${status}`,
        answer: { status, body: '', headers: { Location: '/elsewhere' } },
        code: 'exchange_response_invalid',
        ...FINAL,
        detail: `HTTP ${status}`,
      }),
    ),
    { name: 'throttles', answer: { status: 429, body: '' }, code: 'exchange_throttled', ...TRIED_AGAIN },
    ...[500, 502, 503, 504].map(
      (status): Fault => ({
        name: `fails with ${status}`,
        answer: { status, body: html, headers: { 'Content-Type': 'text/html' } },
        code: 'exchange_unavailable',
        ...TRIED_AGAIN,
        detail: `HTTP ${status}`,
      }),
    ),
    ...[400, 403, 404, 407].map(
      (status): Fault => ({
        name: `is a proxy that says ${status}`,
        answer: { status, body: html, headers: { 'Content-Type': 'text/html' } },
        code: 'exchange_response_invalid',
        ...FINAL,
        detail: `HTTP ${status}`,
      }),
    ),
    ...[
      ['an empty body', ''],
      ['bytes that mean nothing', '\u0000\u0001\u0002 garbage'],
      ['a good answer that ends too early', good.body.slice(0, -20)],
    ].map(
      ([name, body]): Fault => ({
        name: `answers with ${name}`,
        answer: { status: 200, body: body ?? '' },
        code: 'exchange_response_invalid',
        ...FINAL,
      }),
    ),
  ];
}

/** What our own connection notices besides. */
function connectionFaults(good: GoodAnswer): readonly Fault[] {
  const unanswered = {
    code: 'exchange_unavailable',
    ...TRIED_AGAIN,
    detail: 'TIMEOUT, no answer within 6 seconds',
  } as const;
  const throttled = (status: number, retryAfter: string): ScriptedAnswer => ({
    status,
    body: '',
    headers: { 'Retry-After': retryAfter },
  });
  return [
    { name: 'hangs', answer: 'hang', ...unanswered },
    { name: 'falls silent within its answer', answer: 'hang within the body', ...unanswered },
    { name: 'does not speak HTTP', answer: 'no http', code: 'exchange_response_invalid', ...FINAL, detail: 'HPE_' },
    {
      name: 'says that a good answer is HTML',
      answer: { status: 200, body: good.body, headers: { 'Content-Type': 'text/html; charset=utf-8' } },
      code: 'exchange_response_invalid',
      ...FINAL,
      detail: `HTTP 200, text/html; charset=utf-8, ${good.body.length} bytes`,
    },
    {
      name: 'asks for 2 seconds',
      answer: throttled(429, '2'),
      code: 'exchange_throttled',
      attempts: 3,
      waits: [2150, 2300],
    },
    {
      name: 'asks for 5 seconds while it is down',
      answer: throttled(503, '5'),
      code: 'exchange_unavailable',
      attempts: 3,
      waits: [5150, 5300],
    },
    {
      name: 'asks for time until a moment that is near',
      answer: throttled(429, 'Sun, 22 Nov 2026 12:00:01 GMT'),
      code: 'exchange_throttled',
      attempts: 3,
      waits: [1150, 300],
    },
    { name: 'asks for 6 seconds', answer: throttled(429, '6'), code: 'exchange_throttled', ...FINAL },
    {
      name: 'asks for a long time',
      answer: throttled(503, '99999999999999999999'),
      code: 'exchange_unavailable',
      ...FINAL,
    },
    ...['-1', 'soon', '1.5', '', 'Sun, 22 Nov 2026 11:00:00 GMT'].map(
      (text): Fault => ({
        name: `asks for ${JSON.stringify(text)}, which is no time to come`,
        answer: throttled(429, text),
        code: 'exchange_throttled',
        ...TRIED_AGAIN,
      }),
    ),
  ];
}

/**
 * Everything that goes wrong between an adapter and its target: each with its own error, a bounded number of attempts, and
 * the token in no place but the body of the request.
 */
export function describeFaults(name: string, makeExchange: MakeExchange, options: FaultOptions): void {
  const { good, secrets, connectionOfSdk = false } = options;
  const faults = [...commonFaults(good), ...(connectionOfSdk ? [] : connectionFaults(good))];

  const start = (answer: (attempt: number) => ScriptedAnswer, signal?: AbortSignal) =>
    startExchange({ makeExchange, good, answer, signal });

  describe(`${name}: a target that`, () => {
    test.each(faults)('$name', async ({ answer, code, attempts, waits, detail }) => {
      const { upstream, running, token, pump, waits: seen } = await start(() => answer);
      pump();
      const error = await refusal(running);
      expect(error.code).toBe(code);
      if (detail !== undefined) expect(error.detail).toContain(detail);
      expect(upstream.requests.all).toHaveLength(attempts);
      if (waits !== undefined) expect(seen).toEqual(waits);
      const log = createMemoryLog();
      log.logger.error({ error }, 'exchange failed');
      expectNoSecrets([errorText(error), ...log.lines], [token, ...secrets]);
      expectNoSecrets(
        upstream.requests.all.map(({ url }) => url),
        [token],
      );
    });

    test('does not listen', async () => {
      const clock = createRecordingClock();
      const svid = await subjectToken();
      const exchange = await makeExchange('http://127.0.0.1:1', { clock, random: () => 0.5 });
      const running = refusal(exchange(svid, new AbortController().signal));
      for (const expected of [150, 300]) {
        expect(await nextWait(clock)).toBe(expected);
        await clock.advance(expected);
      }
      const error = await running;
      expect(error.code).toBe('exchange_unavailable');
      expect(error.detail).toContain('ECONNREFUSED');
      expectNoSecrets(errorText(error), [svid.token.reveal()]);
    });

    test.each([2, 3])('is well again at attempt %i', async (well) => {
      const { upstream, running, pump } = await start((attempt) =>
        attempt < well ? 'reset' : { status: 200, body: good.body },
      );
      pump();
      expect(await running).toMatchObject({ expiresAt: expect.any(Number) });
      expect(upstream.requests.all).toHaveLength(well);
      expect(new Set(upstream.requests.all.map(({ body }) => body)).size).toBe(1);
    });

    test.each(['hang', 'hang within the body'] as const)(
      'is given up on while it does not answer (%s), and sees the connection go',
      async (answer) => {
        const abort = new AbortController();
        const { upstream, running } = await start(() => answer, abort.signal);
        const request = await upstream.requests.next();
        const reason = new Error('given up');
        abort.abort(reason);
        await expect(running).rejects.toBe(reason);
        await request.closed;
        expect(upstream.requests.all).toHaveLength(1);
      },
    );

    test('is given up on between two attempts, and no timer is left', async () => {
      const abort = new AbortController();
      const { upstream, clock, running } = await start(() => ({ status: 503, body: '' }), abort.signal);
      await nextWait(clock);
      const reason = new Error('given up');
      abort.abort(reason);
      await expect(running).rejects.toBe(reason);
      expect(clock.timers).toBe(0);
      expect(upstream.requests.all).toHaveLength(1);
    });

    test('is not asked at all by who has given up before', async () => {
      const reason = new Error('given up');
      const { upstream, running } = await start(() => 'hang', AbortSignal.abort(reason));
      await expect(running).rejects.toBe(reason);
      expect(upstream.requests.all).toEqual([]);
    });
  });
}
