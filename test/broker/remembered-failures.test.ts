import { describe, expect, test } from 'vitest';
import { ERROR_CODES, isErrorCode, SvidxError } from '../../src/base/errors.ts';
import { rememberFailureMs } from '../../src/broker/remembered-failures.ts';

const PASSING = ['identity_unavailable', 'exchange_unavailable', 'exchange_throttled'];

describe('for how long a failure is remembered', () => {
  const codes = Object.keys(ERROR_CODES).filter(isErrorCode);

  test.each(codes)('%s', (code) => {
    const fromUpstream = /^(identity|exchange)_/.test(code);
    const expected = PASSING.includes(code) ? 500 : fromUpstream ? 2_000 : 0;
    expect(rememberFailureMs(new SvidxError(code, 'x'))).toBe(expected);
  });

  test.each([new Error('identity_not_found'), { code: 'identity_not_found' }, 'identity_not_found', undefined, null])(
    'what is no error of ours is not remembered: %s',
    (thrown) => {
      expect(rememberFailureMs(thrown)).toBe(0);
    },
  );
});
