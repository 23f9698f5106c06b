import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { createLogger, describeError, LOG_LEVELS, type LogLevel } from '../../src/base/logger.ts';
import { createMemoryLog } from '../fakes/log.ts';

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzcGlmZmU6Ly9hL2IifQ.c2lnbmF0dXJl';
const LEAK = 'a-secret-that-a-library-keeps';

/** As libraries throw them: with the request, the response and more of the same hanging on. */
function libraryError(message = 'boom'): Error {
  const error = new TypeError(message, { cause: Object.assign(new Error('deeper'), { body: LEAK }) });
  return Object.assign(error, { token: LEAK, config: { headers: { authorization: LEAK } }, $response: { body: LEAK } });
}

/** What is logged for these fields. */
function logged(fields: object): { line: string; entry: Record<string, unknown> } {
  const log = createMemoryLog();
  log.logger.error(fields, 'something failed');
  return { line: log.lines[0] ?? '', entry: log.entries()[0] ?? {} };
}

describe('a log line', () => {
  test('is one JSON object with level, time, fields and message, and nothing else', () => {
    const log = createMemoryLog();
    log.logger.info({ event: 'started', count: 2 }, 'up and running');
    expect(log.lines[0]?.endsWith('\n')).toBe(true);
    const { time, ...entry } = log.entries()[0] ?? {};
    expect(entry).toEqual({ level: 'info', event: 'started', count: 2, msg: 'up and running' });
    expect(new Date(String(time)).toISOString()).toBe(time);
  });

  test('has the time of its own writing', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-22T12:00:00.001Z') });
    onTestFinished(() => void vi.useRealTimers());
    const log = createMemoryLog();
    log.logger.info({}, 'first');
    log.logger.info({}, 'in the same millisecond');
    vi.setSystemTime(Date.parse('2026-11-22T12:00:00.002Z'));
    log.logger.info({}, 'later');
    const at = (ms: number) => `2026-11-22T12:00:00.00${ms}Z`;
    expect(log.entries().map(({ time }) => time)).toEqual([at(1), at(1), at(2)]);
  });

  test('stays one line whatever is in it', () => {
    const log = createMemoryLog();
    log.logger.warn({ text: 'a\nb\r\n{"level":"error"}\u0000' }, 'two\nlines');
    expect(log.lines.join('').trimEnd().split('\n')).toHaveLength(1);
    expect(log.entries()[0]).toMatchObject({ level: 'warn', msg: 'two\nlines' });
  });

  test.each(['debug', 'info', 'warn', 'error'] as const)('says that its level is %s', (level) => {
    const log = createMemoryLog();
    log.logger[level]({}, 'x');
    expect(log.entries()[0]?.['level']).toBe(level);
  });

  test.each<[LogLevel, number]>([
    ['trace', 4],
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['silent', 0],
  ])('is written at the level %s or above: %d of 4', (level, expected) => {
    const lines: string[] = [];
    const logger = createLogger({ level, destination: { write: (line) => void lines.push(line) } });
    for (const each of ['debug', 'info', 'warn', 'error'] as const) logger[each]({}, 'x');
    expect(lines).toHaveLength(expected);
    expect(LOG_LEVELS).toContain(level);
  });

  test('takes members called like inherited ones', () => {
    const { entry } = logged({ constructor: 1, toString: 2, hasOwnProperty: 3 });
    expect(entry).toMatchObject({ constructor: 1, toString: 2, hasOwnProperty: 3 });
  });
});

describe('an error in the log', () => {
  test('is its code, message and detail', () => {
    const error = new SvidxError('exchange_denied', 'refused', { detail: 'what was said', cause: libraryError() });
    const { line, entry } = logged({ error });
    expect(entry['error']).toEqual({ code: 'exchange_denied', message: 'refused', detail: 'what was said' });
    expect(line).not.toContain(LEAK);
  });

  test.each<[string, (error: Error) => object]>([
    ['error', (error) => ({ error })],
    ['err, as Pino calls it', (error) => ({ err: error })],
    ['cause', (error) => ({ cause: error })],
    ['any other', (error) => ({ reason: error, event: 'x' })],
  ])('has nothing of what hangs on it, under the name of %s', (_, fields) => {
    const { line, entry } = logged(fields(libraryError()));
    expect(line).not.toContain(LEAK);
    expect(Object.values(entry)).toContainEqual({ code: 'internal_error', message: 'TypeError: boom' });
  });

  test.each([
    [
      'one of ours',
      new SvidxError('not_found', 'gone', { cause: libraryError() }),
      { code: 'not_found', message: 'gone' },
    ],
    ['another', libraryError(), { code: 'internal_error', message: 'TypeError: boom' }],
  ])('has nothing of what hangs on it in place of the fields: %s', (_, error, expected) => {
    const { line, entry } = logged(error);
    expect(line).not.toContain(LEAK);
    expect(entry['error']).toEqual(expected);
    expect(entry['msg']).toBe('something failed');
  });

  test.each([
    ['a text', LEAK, 'string'],
    ['an object', { message: LEAK }, 'object'],
    ['null', null, 'object'],
    ['a number', 7, 'number'],
  ])('that is %s is told by its type alone', (_, error, type) => {
    const { line, entry } = logged({ error });
    expect(entry['error']).toEqual({ code: 'internal_error', message: `${type}: not an error object` });
    expect(line).not.toContain(LEAK);
  });

  test('that is undefined is left out', () => {
    expect('error' in logged({ error: undefined, event: 'x' }).entry).toBe(false);
  });

  test.each<[string, Error]>([
    ['our message', new SvidxError('internal_error', `bad ${TOKEN}`)],
    ['our detail', new SvidxError('internal_error', 'bad', { detail: `said ${TOKEN}` })],
    ["a library's message", new Error(`bad ${TOKEN}`)],
    ['the name of an error', Object.assign(new Error('x'), { name: TOKEN })],
    [
      'a line that looks like a stack frame',
      new SvidxError('internal_error', 'bad', { cause: new Error(`x\n    at ${TOKEN}`) }),
    ],
    [
      'a message that was changed later',
      new SvidxError('internal_error', 'bad', { cause: renamed(`x\n    at ${TOKEN}`) }),
    ],
  ])('has no token in it where %s had one', (_, error) => {
    const { line } = logged({ error });
    for (const part of TOKEN.split('.')) expect(line).not.toContain(part);
    expect(line).toContain('"code":"internal_error"');
  });

  test('has no control characters, and not more than 300 characters of a text', () => {
    const { entry } = logged({
      error: new SvidxError('internal_error', 'a\n\u001b[31mb', { detail: 'x'.repeat(5000) }),
    });
    expect(entry['error']).toEqual({ code: 'internal_error', message: 'a [31mb', detail: `${'x'.repeat(300)}...` });
  });
});

describe('a defect', () => {
  test('is told with the place where it was thrown, without the message', () => {
    const cause = libraryError('first line\n    at nowhere (made-up.ts:1:1)');
    const described = describeError(new SvidxError('internal_error', 'bad', { cause }));
    expect(described).toMatchObject({
      at: expect.arrayContaining([expect.stringMatching(/^at .*logger\.test\.ts:\d+/)]),
    });
    expect(JSON.stringify(described)).not.toMatch(/made-up|first line/);
  });

  test('is told with eight frames at most', () => {
    const cause = new Error('deep');
    cause.stack = `Error: deep\n${'    at somewhere (file.ts:1:1)\n'.repeat(100)}`;
    expect(describeError(new SvidxError('internal_error', 'bad', { cause }))).toMatchObject({
      at: Array(8).fill('at somewhere (file.ts:1:1)'),
    });
  });

  test.each([
    ['a stack', Object.assign(new Error('x'), { stack: undefined })],
    ['a cause that is an error', 'thrown'],
  ])('is told also without %s', (_, cause) => {
    expect(describeError(new SvidxError('internal_error', 'bad', { cause }))).toMatchObject({ message: 'bad' });
  });

  test('is what only an internal error is: others have no frames', () => {
    expect(describeError(new SvidxError('config_invalid', 'bad', { cause: new Error('x') }))).toEqual({
      code: 'config_invalid',
      message: 'bad',
    });
  });
});

/** An error whose stack was taken while it still had this message. */
function renamed(message: string): Error {
  const error = new Error(message);
  // Node writes the stack when it is first asked for.
  expect(error.stack).toContain(message);
  error.message = 'harmless';
  return error;
}
