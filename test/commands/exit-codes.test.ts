import { expect, test } from 'vitest';
import { ERROR_CODES } from '../../src/base/errors.ts';
import { EXIT_CODE } from '../../src/commands/exit-codes.ts';

test('every error code has an exit code, and no other', () => {
  expect(Object.keys(EXIT_CODE).toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted());
});

test('what the user wrote wrong is 2, everything else is 1', () => {
  const two = Object.entries(EXIT_CODE).filter(([, exitCode]) => exitCode === 2);
  expect(two.map(([code]) => code)).toEqual(['usage_invalid', 'config_invalid', 'policy_invalid']);
  expect(new Set(Object.values(EXIT_CODE))).toEqual(new Set([1, 2]));
});
