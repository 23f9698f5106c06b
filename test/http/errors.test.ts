import type { RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ERROR_CODES, type ErrorCode, SvidxError } from '../../src/base/errors.ts';
import { HTTP_STATUS, sendError, sendJson } from '../../src/http/errors.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { ask, type HttpAnswer } from '../support/http.ts';

/** What a server with this one listener answers. */
async function answerOf(listener: RequestListener): Promise<HttpAnswer> {
  const server = await listenOnTcp({ host: '127.0.0.1', port: 0 }, systemClock);
  onTestFinished(server.close);
  server.handle(listener);
  return ask(server.url, { path: '/' });
}

function errorAnswer(error: SvidxError): Promise<HttpAnswer> {
  return answerOf((_request, response) => sendError(response, error));
}

const codes = Object.keys(ERROR_CODES) as ErrorCode[];

describe('the table of statuses', () => {
  test('has every error code and nothing else', () => {
    expect(Object.keys(HTTP_STATUS).sort()).toEqual([...codes].sort());
  });

  test('has statuses of errors only', () => {
    for (const code of codes) expect([code, HTTP_STATUS[code] >= 400 && HTTP_STATUS[code] < 600]).toEqual([code, true]);
  });

  test('tells what is not proven from what is not allowed', () => {
    const proofs = codes.filter((name) => /^(token|certificate)_/.test(name));
    for (const code of proofs) expect(HTTP_STATUS[code]).toBe(401);
    expect(codes.filter((code) => HTTP_STATUS[code] === 403)).toEqual([
      'policy_denied',
      'host_denied',
      'exchange_denied',
    ]);
    const unproven = codes.filter((code) => HTTP_STATUS[code] === 401 && !proofs.includes(code));
    expect(unproven).toEqual(['session_invalid']);
  });

  test('says 503 or 504 for what may pass by itself, and only for that and for what an operator must mend', () => {
    expect(codes.filter((code) => HTTP_STATUS[code] >= 503).sort()).toEqual([
      'bundle_unavailable',
      'component_busy',
      'component_timed_out',
      'exchange_throttled',
      'exchange_unavailable',
      'identity_delegate_unauthorized',
      'identity_unavailable',
      'service_stopping',
      'service_unreachable',
    ]);
  });
});

describe('an error as an answer', () => {
  test.each(codes)('%s has its status, its code and its message, and may not be kept', async (code) => {
    const { status, headers, text } = await errorAnswer(new SvidxError(code, 'a sentence'));
    expect(status).toBe(HTTP_STATUS[code]);
    expect(JSON.parse(text)).toEqual({ code, message: 'a sentence' });
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
  });

  test('leaves out detail, cause and stack', async () => {
    const cause = new Error('CAUSE');
    const { text } = await errorAnswer(new SvidxError('internal_error', 'a sentence', { detail: 'DETAIL', cause }));
    expect(Object.keys(JSON.parse(text)).sort()).toEqual(['code', 'message']);
    expect(text).not.toMatch(/DETAIL|CAUSE|\.ts/);
  });

  test('counts its length in bytes', async () => {
    const { headers, text } = await errorAnswer(new SvidxError('not_found', 'Grüße, 東京 🌍'));
    expect(JSON.parse(text)).toMatchObject({ message: 'Grüße, 東京 🌍' });
    expect(headers['content-length']).toBe(String(Buffer.byteLength(text)));
  });
});

test('an answer that is no error has the status and the body it was given', async () => {
  const answer = await answerOf((_request, response) => sendJson(response, 201, { a: [1, 'x', null] }));
  expect(answer).toMatchObject({ status: 201, text: '{"a":[1,"x",null]}', headers: { 'cache-control': 'no-store' } });
});
