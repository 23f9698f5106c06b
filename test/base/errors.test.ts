import { describe, expect, test } from 'vitest';
import { ERROR_CODES, isErrorCode, SvidxError, toSvidxError } from '../../src/base/errors.ts';

describe('the error codes', () => {
  test.each(Object.entries(ERROR_CODES))('%s is a name in small letters with a sentence: %s', (code, sentence) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)+$/);
    expect(sentence).toMatch(/^[A-Z].*\.$/s);
    expect(isErrorCode(code)).toBe(true);
  });

  test.each([
    '',
    'internal',
    'INTERNAL_ERROR',
    'internal_error ',
    '__proto__',
    'constructor',
    'toString',
    0,
    null,
    undefined,
    {},
  ])('%j is none of them', (value) => {
    expect(isErrorCode(value)).toBe(false);
  });

  test('no two say the same', () => {
    const sentences = Object.values(ERROR_CODES);
    expect(new Set(sentences).size).toBe(sentences.length);
  });
});

describe('an error', () => {
  test('has its code, message, detail and cause', () => {
    const cause = new Error('below');
    const error = new SvidxError('not_found', 'nothing here', { detail: 'looked twice', cause });
    expect(error).toMatchObject({
      name: 'SvidxError',
      code: 'not_found',
      message: 'nothing here',
      detail: 'looked twice',
    });
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('SvidxError: nothing here');
  });

  test('has no cause and no detail where none is given', () => {
    const error = new SvidxError('not_found', 'nothing here');
    expect(error.detail).toBeUndefined();
    expect('cause' in error).toBe(false);
  });

  test('does not show its cause when it is written as JSON', () => {
    const cause = Object.assign(new Error('below'), { token: 'secret' });
    expect(JSON.stringify(new SvidxError('not_found', 'nothing here', { cause }))).not.toMatch(/secret|below/);
  });
});

describe('anything thrown', () => {
  test('is itself when it is one of ours', () => {
    const error = new SvidxError('policy_denied', 'no');
    expect(toSvidxError(error)).toBe(error);
  });

  test('is an internal error otherwise, whose message says nothing of it', () => {
    const thrown = new TypeError('x is not a function');
    const error = toSvidxError(thrown);
    expect(error.code).toBe('internal_error');
    expect(error.message).toBe('something went wrong inside svid-exchange');
    expect(error.detail).toBe('TypeError: x is not a function');
    expect(error.cause).toBe(thrown);
  });

  test.each([
    ['secret', 'a thrown string'],
    [undefined, 'a thrown undefined'],
    [null, 'a thrown object'],
    [7, 'a thrown number'],
    [{ message: 'secret', code: 'policy_denied' }, 'a thrown object'],
  ])('is not trusted to be an error: %j', (thrown, detail) => {
    const error = toSvidxError(thrown);
    expect(error).toMatchObject({ code: 'internal_error', detail });
    expect(`${error.message}${error.detail}`).not.toContain('secret');
  });
});
